//! The memory that this process has used.

/// The largest resident set so far, mapped file pages included; `None` where the system does not tell.
pub(crate) fn peak_resident_bytes() -> Option<u64> {
    told("/proc/self/status", "VmHWM:")
}

/// Private memory that was written to, which a mapped file's pages are not; `None` where the system does not
/// tell.
pub(crate) fn dirty_bytes() -> Option<u64> {
    told("/proc/self/smaps_rollup", "Private_Dirty:")
}

/// What the line of `file` that begins with `name` says, in bytes.
fn told(file: &str, name: &str) -> Option<u64> {
    let text = std::fs::read_to_string(file).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}
