#if os(iOS)
    import os
#endif
#if canImport(Darwin)
    // Older SDKs do not say that `mach_task_self_` never changes.
    @preconcurrency import Darwin
#endif

/// What this process takes of memory.
public enum ProcessMemory {
    /// Bytes that count against the limit of an extension, `phys_footprint`: dirty and compressed memory. Files that
    /// are mapped and only read do not count. `nil` elsewhere than on Apple's systems.
    public static func footprint() -> UInt64? {
        #if canImport(Darwin)
            var info = task_vm_info_data_t()
            var count = mach_msg_type_number_t(
                MemoryLayout<task_vm_info_data_t>.size / MemoryLayout<integer_t>.size)
            let status = withUnsafeMutablePointer(to: &info) { info in
                info.withMemoryRebound(to: integer_t.self, capacity: Int(count)) { words in
                    task_info(mach_task_self_, task_flavor_t(TASK_VM_INFO), words, &count)
                }
            }
            return status == KERN_SUCCESS ? info.phys_footprint : nil
        #else
            return nil
        #endif
    }

    /// Bytes that ``footprint()`` may reach before the system ends this process; `nil` where the system does not say.
    public static func limit() -> UInt64? {
        #if os(iOS)
            let available = os_proc_available_memory()
            guard available > 0, let footprint = footprint() else { return nil }
            return footprint + UInt64(available)
        #else
            return nil
        #endif
    }
}
