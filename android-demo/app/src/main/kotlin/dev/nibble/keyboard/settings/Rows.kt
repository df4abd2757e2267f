package dev.nibble.keyboard.settings

import android.app.Activity
import android.os.Build
import android.view.Gravity
import android.view.View
import android.widget.Button
import android.widget.CheckBox
import android.widget.LinearLayout
import android.widget.RadioButton
import android.widget.RadioGroup
import android.widget.ScrollView
import android.widget.TextView

/** A page of settings that is made from top to bottom. */
class Rows(private val activity: Activity) {
    private val density = activity.resources.displayMetrics.density
    private val rows = LinearLayout(activity).apply {
        orientation = LinearLayout.VERTICAL
        val margin = (20 * density).toInt()
        setPadding(margin, margin / 2, margin, margin)
    }

    /** The page. */
    val view: View = ScrollView(activity).apply { addView(rows) }

    /** Adds any view over the full width. */
    fun <V : View> add(view: V): V {
        val parameters = LinearLayout.LayoutParams(LinearLayout.LayoutParams.MATCH_PARENT, LinearLayout.LayoutParams.WRAP_CONTENT)
        parameters.topMargin = (4 * density).toInt()
        rows.addView(view, parameters)
        return view
    }

    fun title(text: Int) = add(
        TextView(activity).apply {
            setText(text)
            textSize = 14f
            setTextColor(accent)
            setPadding(0, (18 * density).toInt(), 0, (4 * density).toInt())
            if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.P) isAccessibilityHeading = true
        },
    )

    private val accent: Int
        get() {
            val found = activity.obtainStyledAttributes(intArrayOf(android.R.attr.colorAccent))
            return found.getColor(0, 0).also { found.recycle() }
        }

    fun text(text: CharSequence) = add(
        TextView(activity).apply {
            this.text = text
            textSize = 16f
            setLineSpacing(4 * density, 1f)
        },
    )

    /** A name, and on its right what is known of it. */
    fun value(name: Int, value: CharSequence?) = add(
        LinearLayout(activity).apply {
            minimumHeight = (32 * density).toInt()
            val shown = TextView(activity).apply {
                text = value ?: "–"
                textSize = 16f
                gravity = Gravity.END
                setTextColor(accent)
            }
            addView(
                TextView(activity).apply {
                    setText(name)
                    textSize = 16f
                },
                LinearLayout.LayoutParams(0, LinearLayout.LayoutParams.WRAP_CONTENT, 1f),
            )
            addView(shown)
            // A screen reader says both at once.
            contentDescription = "${activity.getString(name)}: ${shown.text}"
            isFocusable = true
        },
    )

    fun button(text: CharSequence, action: () -> Unit) = add(
        Button(activity).apply {
            this.text = text
            isAllCaps = false
            minHeight = (48 * density).toInt()
            setOnClickListener { action() }
        },
    )

    fun check(text: Int, value: Boolean, change: (Boolean) -> Unit) = add(
        CheckBox(activity).apply {
            setText(text)
            textSize = 16f
            minHeight = (48 * density).toInt()
            isChecked = value
            setOnCheckedChangeListener { _, now -> change(now) }
        },
    )

    /** One of several. */
    fun choice(label: Int, names: List<String>, chosen: Int, change: (Int) -> Unit) {
        text(activity.getText(label))
        val group = add(RadioGroup(activity).apply { orientation = RadioGroup.HORIZONTAL })
        names.forEachIndexed { index, name ->
            group.addView(
                RadioButton(activity).apply {
                    text = name
                    id = index + 1
                    minHeight = (48 * density).toInt()
                    setPadding(paddingLeft, paddingTop, (14 * density).toInt(), paddingBottom)
                },
            )
        }
        group.check(chosen + 1)
        group.setOnCheckedChangeListener { _, id -> change(id - 1) }
    }
}
