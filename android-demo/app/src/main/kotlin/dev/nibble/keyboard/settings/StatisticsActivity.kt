package dev.nibble.keyboard.settings

import android.app.Activity
import android.os.Bundle
import dev.nibble.keyboard.Durations
import dev.nibble.keyboard.NibbleApplication
import dev.nibble.keyboard.R
import dev.nibble.keyboard.engine.EngineReport

/** What the keyboard has counted and measured. */
class StatisticsActivity : Activity() {
    private val app get() = application as NibbleApplication

    override fun onCreate(saved: Bundle?) {
        super.onCreate(saved)
        setTitle(R.string.statistics_title)
    }

    override fun onResume() {
        super.onResume()
        app.statistics.onReport = ::show
        show()
        app.keyboard?.measureEngine()
    }

    override fun onPause() {
        app.statistics.onReport = null
        super.onPause()
    }

    private fun show() {
        val statistics = app.statistics
        val rows = Rows(this)
        rows.title(R.string.typing_title)
        rows.value(R.string.statistics_saved, statistics.saved?.let { getString(R.string.percent, 100 * it) })
        rows.value(R.string.statistics_characters, "%,d".format(statistics.characters))
        rows.value(R.string.statistics_keys, "%,d".format(statistics.keys))
        rows.value(R.string.statistics_accepted, "%,d".format(statistics.accepted))
        rows.value(R.string.statistics_reverted, "%,d".format(statistics.reverted))
        rows.title(R.string.statistics_speed)
        rows.value(R.string.statistics_dictionary, quantiles(statistics.toDictionary))
        rows.value(R.string.statistics_model, quantiles(statistics.toModel))
        rows.title(R.string.statistics_engine)
        engine(rows, statistics.engine)
        rows.text(getText(R.string.statistics_explained))
        rows.button(getText(R.string.statistics_reset)) {
            statistics.reset()
            show()
        }
        setContentView(rows.view)
    }

    private fun engine(rows: Rows, report: EngineReport?) {
        rows.value(R.string.statistics_open, report?.let { it.model ?: getText(R.string.none) })
        rows.value(R.string.statistics_memory, report?.let { megabytes(it.anonymousBytes) })
        rows.value(R.string.statistics_mapped, report?.let { megabytes(it.mappedBytes) })
        rows.value(R.string.statistics_passes, report?.let { "%,d".format(it.passes) })
        rows.value(R.string.statistics_pass, times(report?.passP50Milliseconds, report?.passP95Milliseconds))
    }

    private fun quantiles(durations: Durations) = times(durations.quantile(0.5), durations.quantile(0.95))

    private fun times(median: Double?, most: Double?) =
        if (median == null || most == null) null else getString(R.string.statistics_times, median, most)

    private fun megabytes(bytes: Long) = getString(R.string.megabytes, bytes / 1e6)
}
