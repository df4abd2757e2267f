/* For programs that open the library themselves, such as a Java virtual machine. Whoever opens a file that is open
 * already gets what is there, so it is opened the right way before the program begins:
 *
 *   NIBBLE_ANDROID_LIBRARY=FILE NIBBLE_ANDROID_SHIMS=DIRECTORY LD_PRELOAD=DIRECTORY/preload.so java ... */
#include "open.h"
#include <stdlib.h>

__attribute__((constructor)) static void open_before_main(void) {
    const char *library = getenv("NIBBLE_ANDROID_LIBRARY"), *shims = getenv("NIBBLE_ANDROID_SHIMS");
    if (!library || !shims) return;
    /* Programs that this one starts have nothing to do with it. */
    unsetenv("LD_PRELOAD");
    if (!open_android_library(shims, library)) {
        fprintf(stderr, "%s\n", dlerror());
        _Exit(127);
    }
}
