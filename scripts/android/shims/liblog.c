/* Android's liblog.so for a Linux machine: what is logged goes to standard error. */
#include <stdio.h>

int __android_log_write(int priority, const char *tag, const char *text) {
    return fprintf(stderr, "log %d %s: %s\n", priority, tag, text);
}

int __android_log_buf_write(int buffer, int priority, const char *tag, const char *text) {
    (void)buffer;
    return __android_log_write(priority, tag, text);
}
