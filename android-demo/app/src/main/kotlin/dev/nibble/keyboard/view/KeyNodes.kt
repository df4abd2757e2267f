package dev.nibble.keyboard.view

import android.graphics.Rect
import android.os.Bundle
import android.view.accessibility.AccessibilityEvent
import android.view.accessibility.AccessibilityManager
import android.view.accessibility.AccessibilityNodeInfo
import android.view.accessibility.AccessibilityNodeProvider

/** What a screen reader finds in the keyboard: a node for everything that can be touched, by its index. */
class KeyNodes(private val view: KeyboardView) : AccessibilityNodeProvider() {
    private var hovered = -1
    private val manager = view.context.getSystemService(AccessibilityManager::class.java)

    override fun createAccessibilityNodeInfo(id: Int): AccessibilityNodeInfo? {
        if (id == HOST_VIEW_ID) {
            return AccessibilityNodeInfo.obtain(view).also { node ->
                view.onInitializeAccessibilityNodeInfo(node)
                view.targets.indices.forEach { node.addChild(view, it) }
            }
        }
        val target = view.targets.getOrNull(id) ?: return null
        return AccessibilityNodeInfo.obtain(view, id).apply {
            setParent(view)
            packageName = view.context.packageName
            className = "android.inputmethodservice.Keyboard\$Key"
            contentDescription = view.describe(target)
            isEnabled = true
            isClickable = true
            isVisibleToUser = true
            addAction(AccessibilityNodeInfo.AccessibilityAction.ACTION_CLICK)
            val inView = Rect().also { target.bounds.round(it) }
            val place = IntArray(2).also(view::getLocationOnScreen)
            setBoundsInScreen(Rect(inView).apply { offset(place[0], place[1]) })
        }
    }

    override fun performAction(id: Int, action: Int, arguments: Bundle?): Boolean {
        if (id == HOST_VIEW_ID) return view.performAccessibilityAction(action, arguments)
        if (action != AccessibilityNodeInfo.ACTION_CLICK) return false
        view.press(view.targets.getOrNull(id) ?: return false)
        return true
    }

    /** A finger that explores came to a target; -1 for none. */
    fun hover(id: Int) {
        if (id == hovered) return
        send(hovered, AccessibilityEvent.TYPE_VIEW_HOVER_EXIT)
        hovered = id
        send(id, AccessibilityEvent.TYPE_VIEW_HOVER_ENTER)
    }

    /** There are other targets. */
    fun changed() {
        if (!manager.isEnabled) return
        view.sendAccessibilityEvent(AccessibilityEvent.TYPE_WINDOW_CONTENT_CHANGED)
    }

    @Suppress("DEPRECATION") // The constructor is there since Android 11 only.
    private fun send(id: Int, type: Int) {
        val target = view.targets.getOrNull(id) ?: return
        if (!manager.isEnabled) return
        val event = AccessibilityEvent.obtain(type).apply {
            packageName = view.context.packageName
            contentDescription = view.describe(target)
            setSource(view, id)
        }
        view.parent?.requestSendAccessibilityEvent(view, event)
    }
}
