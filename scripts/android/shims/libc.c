/* What Android's libc.so has and glibc has not, or not in that way, so that a library for Android can be run on a
 * Linux machine. The rest comes from glibc, which this is linked with. Layouts of structures agree on 64 bits wherever
 * the library passes one (dirent, stat, timespec, iovec, dl_phdr_info) but for attributes of threads, see below. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* A function of Android's name and attributes, defined by another name because the headers have given that one away. */
#define ANDROID(name, ...) \
    int android_##name(__VA_ARGS__) __asm__(#name); \
    int android_##name(__VA_ARGS__)

extern int __xpg_strerror_r(int number, char *text, size_t size);
extern long __sysconf(int name);

int *__errno(void) { return __errno_location(); }

/* POSIX's, where glibc's returns a pointer. */
ANDROID(strerror_r, int number, char *text, size_t size) { return __xpg_strerror_r(number, text, size); }

/* Its numbers, from bionic's <bits/sysconf.h>. */
long sysconf(int name) {
    switch (name) {
    case 0x27:
    case 0x28: return __sysconf(_SC_PAGESIZE);
    case 0x4b: return __sysconf(_SC_THREAD_STACK_MIN);
    case 0x60: return __sysconf(_SC_NPROCESSORS_CONF);
    case 0x61: return __sysconf(_SC_NPROCESSORS_ONLN);
    case 0x62: return __sysconf(_SC_PHYS_PAGES);
    case 0x63: return __sysconf(_SC_AVPHYS_PAGES);
    default:
        fprintf(stderr, "shim of libc.so: sysconf(%d) is not known\n", name);
        abort();
    }
}

/* Every system property is empty, as one that is not set. */
int __system_property_get(const char *name, char *value) {
    (void)name;
    value[0] = '\0';
    return 0;
}

/* Attributes of threads: Android has 56 bytes for them and glibc fills 64 on Arm. Android's hold a pointer to glibc's. */
struct attributes {
    pthread_attr_t *of_glibc;
};

static void *in_glibc(const char *name) {
    void *library = dlopen("libc.so.6", RTLD_NOW | RTLD_NOLOAD);
    void *function = library ? dlsym(library, name) : NULL;
    if (!function) {
        fprintf(stderr, "shim of libc.so: %s\n", dlerror());
        abort();
    }
    return function;
}

#define GLIBC(name) ((__typeof__(&name))in_glibc(#name))

ANDROID(pthread_attr_init, struct attributes *attributes) {
    attributes->of_glibc = malloc(sizeof(pthread_attr_t));
    return attributes->of_glibc ? GLIBC(pthread_attr_init)(attributes->of_glibc) : ENOMEM;
}

ANDROID(pthread_attr_destroy, struct attributes *attributes) {
    int result = GLIBC(pthread_attr_destroy)(attributes->of_glibc);
    free(attributes->of_glibc);
    return result;
}

ANDROID(pthread_attr_setstacksize, struct attributes *attributes, size_t size) {
    return GLIBC(pthread_attr_setstacksize)(attributes->of_glibc, size);
}

ANDROID(pthread_create, pthread_t *thread, const struct attributes *attributes, void *(*start)(void *), void *argument) {
    return GLIBC(pthread_create)(thread, attributes ? attributes->of_glibc : NULL, start, argument);
}
