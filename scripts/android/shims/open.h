/* Opens a library that was built for Android on a Linux machine, with the shims beside it in place of Android's own
 * libraries. Its symbols are looked up in the shims before glibc, which is what RTLD_DEEPBIND says, and nothing else
 * in the process sees the shims. Gives NULL, with the reason in dlerror(), where it cannot be opened. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>

static void *open_android_library(const char *shims, const char *library) {
    static const char *const names[] = {"libc.so", "libm.so", "libdl.so", "liblog.so"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/%s", shims, names[i]);
        if (!dlopen(path, RTLD_NOW | RTLD_LOCAL)) return NULL;
    }
    return dlopen(library, RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND);
}
