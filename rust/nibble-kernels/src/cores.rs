//! Which cores of this machine are worth computing on.

/// The fast cores among those that this process may use. On a phone they are about half of all, and a job that waits for a
/// slow one takes longer than without it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BigCores {
    count: usize,
    /// Their numbers, where there are slower ones that threads are to keep off.
    numbers: Option<Vec<usize>>,
}

impl BigCores {
    /// Asks the operating system: Linux and Android for each core's
    /// [capacity](https://docs.kernel.org/scheduler/sched-capacity.html) and for the performance cores of hybrid CPUs from
    /// Intel, Apple's for the cores of the highest performance level. Where it does not say, all cores count as fast.
    pub fn detect() -> BigCores {
        system::detect()
    }

    /// How many there are; at least 1.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Keeps the calling thread on these cores, where there are others and the system can be told.
    pub(crate) fn keep_this_thread(&self) {
        if let Some(numbers) = &self.numbers {
            system::keep_this_thread(numbers);
        }
    }
}

/// What the system lets this process use, quotas included.
fn available() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

#[cfg(any(target_os = "linux", target_os = "android"))]
mod system {
    use std::fs;
    use std::path::Path;

    use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

    use super::{BigCores, available};

    pub(super) fn detect() -> BigCores {
        let allowed = sched_getaffinity(None).map_or_else(
            |_| Vec::new(),
            |set| (0..CpuSet::MAX_CPU).filter(|&n| set.is_set(n)).collect(),
        );
        among(&allowed, available(), Path::new("/sys/devices"))
    }

    pub(super) fn keep_this_thread(numbers: &[usize]) {
        let mut set = CpuSet::new();
        numbers.iter().for_each(|&number| set.set(number));
        // A system that refuses lets it run on all cores.
        let _ = sched_setaffinity(None, &set);
    }

    /// The big ones of the `allowed` cores, at most `available`, from what the directory `devices` of sysfs says.
    pub(super) fn among(allowed: &[usize], available: usize, devices: &Path) -> BigCores {
        let mut big = allowed.to_vec();
        if let Some(capacities) = capacities(allowed, devices) {
            let largest = capacities.iter().max().copied().unwrap_or(0);
            let capacities = allowed.iter().zip(capacities);
            let fast = capacities.filter(|(_, capacity)| 2 * capacity >= largest);
            big = fast.map(|(&number, _)| number).collect();
        } else if let Ok(list) = fs::read_to_string(devices.join("cpu_core/cpus")) {
            let performance = numbers_of(&list);
            big.retain(|number| performance.contains(number));
        }
        let are_apart = !big.is_empty() && big.len() < allowed.len();
        BigCores {
            count: match big.len() {
                0 => available,
                count => count.min(available),
            },
            numbers: are_apart.then_some(big),
        }
    }

    /// What each core does in a second beside the fastest one, which has 1024; nothing where one of them does not say.
    fn capacities(cores: &[usize], devices: &Path) -> Option<Vec<u64>> {
        let capacity = |number| {
            let file = devices.join(format!("system/cpu/cpu{number}/cpu_capacity"));
            let capacity: u32 = fs::read_to_string(file).ok()?.trim().parse().ok()?;
            Some(u64::from(capacity))
        };
        cores.iter().map(capacity).collect()
    }

    /// The numbers of a list such as `0-3,8`; what is none of it is left out.
    fn numbers_of(list: &str) -> Vec<usize> {
        let ranges = list.trim().split(',').filter_map(|range| {
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            Some(first.parse().ok()?..=last.parse::<usize>().ok()?.min(CpuSet::MAX_CPU))
        });
        ranges.flatten().collect()
    }
}

#[cfg(target_vendor = "apple")]
mod system {
    use std::ffi::c_int;
    use std::ptr::null_mut;

    use super::{BigCores, available};

    /// Apple's schedulers take no numbers of cores: what a thread runs on follows from its
    /// [`Priority`](crate::Priority).
    pub(super) fn detect() -> BigCores {
        let count = performance_cores().map_or(available(), |count| count.clamp(1, available()));
        BigCores {
            count,
            numbers: None,
        }
    }

    pub(super) fn keep_this_thread(_: &[usize]) {}

    /// Cores of the highest performance level; nothing where the system knows of no levels.
    fn performance_cores() -> Option<usize> {
        let mut count: c_int = 0;
        let mut len = size_of::<c_int>();
        // SAFETY: the name ends with a zero; the result is at most `len` bytes long, which `count` has; nothing is set.
        let status = unsafe {
            libc::sysctlbyname(
                c"hw.perflevel0.logicalcpu".as_ptr(),
                (&raw mut count).cast(),
                &raw mut len,
                null_mut(),
                0,
            )
        };
        usize::try_from(count).ok().filter(|_| status == 0)
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
mod system {
    use super::{BigCores, available};

    pub(super) fn detect() -> BigCores {
        BigCores {
            count: available(),
            numbers: None,
        }
    }

    pub(super) fn keep_this_thread(_: &[usize]) {}
}

#[cfg(all(test, any(target_os = "linux", target_os = "android")))]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use std::path::Path;
    use std::{fs, thread};

    use rustix::thread::{CpuSet, sched_getaffinity};

    use super::*;

    /// What is found among the cores `0..cores`, of which `available` may be used at once, in a sysfs that says `files`.
    fn found(files: &[(&str, &str)], cores: usize, available: usize) -> BigCores {
        let devices = tempfile::tempdir().unwrap();
        for (name, content) in files {
            let file = devices.path().join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, content).unwrap();
        }
        let allowed: Vec<_> = (0..cores).collect();
        system::among(&allowed, available, devices.path())
    }

    fn of_capacities(capacities: &[&str], available: usize) -> BigCores {
        let name = |number| format!("system/cpu/cpu{number}/cpu_capacity");
        let names: Vec<_> = (0..capacities.len()).map(name).collect();
        let files: Vec<_> = names
            .iter()
            .map(String::as_str)
            .zip(capacities.iter().copied())
            .collect();
        found(&files, capacities.len(), available)
    }

    fn big(count: usize, numbers: Option<&[usize]>) -> BigCores {
        BigCores {
            count,
            numbers: numbers.map(<[usize]>::to_vec),
        }
    }

    #[test]
    fn cores_of_less_than_half_the_capacity_are_left_out() {
        let three_kinds = of_capacities(&["250\n", "250\n", "870\n", "870\n", "1024\n"], 5);
        assert_eq!(three_kinds, big(3, Some(&[2, 3, 4])));
        // Fewer may run at once than there are.
        assert_eq!(
            of_capacities(&["300\n", "1024\n", "1024\n"], 1),
            big(1, Some(&[1, 2]))
        );
        assert_eq!(of_capacities(&["1024\n", "1024\n"], 2), big(2, None));
        // All that is left to an app in the background.
        assert_eq!(of_capacities(&["250\n", "250\n"], 2), big(2, None));
    }

    #[test]
    fn hybrid_cpus_list_their_performance_cores() {
        let listed = |list| found(&[("cpu_core/cpus", list)], 6, 6);
        assert_eq!(listed("0-2,4\n"), big(4, Some(&[0, 1, 2, 4])));
        assert_eq!(listed("0-5\n"), big(6, None));
        assert_eq!(listed("9\n"), big(6, None));
        assert_eq!(listed("0-99999999999999,x\n"), big(6, None));
    }

    #[test]
    fn cores_are_alike_where_the_system_does_not_say_otherwise() {
        assert_eq!(found(&[], 4, 3), big(3, None));
        assert_eq!(found(&[], 0, 3), big(3, None));
        assert_eq!(of_capacities(&["1024\n", "fast\n"], 2), big(2, None));
        assert!((1..=available()).contains(&BigCores::detect().count()));
        assert_eq!(
            system::among(&[0], 1, Path::new("/no/such/directory")),
            big(1, None)
        );
    }

    #[test]
    fn threads_keep_to_their_cores() {
        let allowed = || sched_getaffinity(None).unwrap();
        let last = (0..CpuSet::MAX_CPU)
            .rfind(|&n| allowed().is_set(n))
            .unwrap();
        let kept = thread::spawn(move || {
            big(1, Some(&[last])).keep_this_thread();
            allowed()
        });
        let mut only = CpuSet::new();
        only.set(last);
        assert_eq!(kept.join().unwrap(), only);
    }
}
