//! The memory that this process has used.

/// The largest resident set so far, mapped file pages included; `None` where the system does not tell.
pub(crate) fn peak_resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

/// Private memory that was written to, which a mapped file's pages are not; `None` where the system does not
/// tell.
pub(crate) fn dirty_bytes() -> Option<u64> {
    let summary = std::fs::read_to_string("/proc/self/smaps_rollup").ok()?;
    let line = summary
        .lines()
        .find_map(|line| line.strip_prefix("Private_Dirty:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}
