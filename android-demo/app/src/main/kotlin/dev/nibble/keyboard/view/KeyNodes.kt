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
    private var focused = -1
    private val manager = view.context.getSystemService(AccessibilityManager::class.java)

    override fun createAccessibilityNodeInfo(id: Int): AccessibilityNodeInfo? {
        if (id == HOST_VIEW_ID) {
            return AccessibilityNodeInfo.obtain(view).also { node ->
                view.onInitializeAccessibilityNodeInfo(node)
                // In the order of reading: the strip is above the keys.
                view.targets.indices.sortedBy { view.targets[it].bounds.top }.forEach { node.addChild(view, it) }
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
            isAccessibilityFocused = id == focused
            addAction(AccessibilityNodeInfo.AccessibilityAction.ACTION_CLICK)
            addAction(
                if (id == focused) {
                    AccessibilityNodeInfo.AccessibilityAction.ACTION_CLEAR_ACCESSIBILITY_FOCUS
                } else {
                    AccessibilityNodeInfo.AccessibilityAction.ACTION_ACCESSIBILITY_FOCUS
                },
            )
            val inView = Rect().also { target.bounds.round(it) }
            val place = IntArray(2).also(view::getLocationOnScreen)
            setBoundsInScreen(Rect(inView).apply { offset(place[0], place[1]) })
        }
    }

    override fun performAction(id: Int, action: Int, arguments: Bundle?): Boolean {
        if (id == HOST_VIEW_ID) return view.performAccessibilityAction(action, arguments)
        val target = view.targets.getOrNull(id) ?: return false
        when (action) {
            AccessibilityNodeInfo.ACTION_CLICK -> view.press(target)
            AccessibilityNodeInfo.ACTION_ACCESSIBILITY_FOCUS -> return focus(id)
            AccessibilityNodeInfo.ACTION_CLEAR_ACCESSIBILITY_FOCUS -> return id == focused && focus(-1)
            else -> return false
        }
        return true
    }

    /** Puts a screen reader's focus on a target; -1 for none. Says whether it was elsewhere. */
    private fun focus(id: Int): Boolean {
        if (id == focused) return false
        send(focused, AccessibilityEvent.TYPE_VIEW_ACCESSIBILITY_FOCUS_CLEARED)
        focused = id
        send(id, AccessibilityEvent.TYPE_VIEW_ACCESSIBILITY_FOCUSED)
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
        if (focused !in view.targets.indices) focused = -1
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
