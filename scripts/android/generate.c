/* Continues a prompt through the library that is built for Android, by the functions that uniffi exports, and prints
 * what it generated, for comparison with what the `nibble` command generates:
 *
 *   generate SHIMS LIBRARY MODEL TOKENS PROMPT
 *
 * Along the way: an absent file is an error, and so is a panic, which shows that the library unwinds. */
#include "shims/open.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define _Nullable
#define _Nonnull
#include "NibbleFFI.h"

/* Of uniffi 0.32; other versions call in another way. */
enum { CONTRACT_VERSION = 30 };
enum { SUCCESS, ERROR, UNEXPECTED };

static void fail(const char *what, const char *detail) {
    fprintf(stderr, "generate: %s: %s\n", what, detail ? detail : "");
    exit(1);
}

static void *library;

static void *symbol(const char *name) {
    void *found = dlsym(library, name);
    if (!found) fail("dlsym", dlerror());
    return found;
}

#define NIBBLE(name) ((__typeof__(&name))symbol(#name))

static void check(const char *what, RustCallStatus *status) {
    if (status->code == SUCCESS) return;
    fprintf(stderr, "generate: %s: status %d, ", what, status->code);
    fwrite(status->errorBuf.data, 1, status->errorBuf.len, stderr);
    fputc('\n', stderr);
    exit(1);
}

/* What is passed to the library, in uniffi's form: big-endian, fields in their order. */
static uint8_t bytes[4096];
static size_t length;

static void put(uint64_t value, int size) {
    while (size-- > 0) bytes[length++] = (uint8_t)(value >> 8 * size);
}

static void put_float(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    put(bits, 4);
}

static RustBuffer buffer_of(const void *data, size_t size) {
    RustCallStatus status = {0};
    ForeignBytes foreign = {(int32_t)size, data};
    RustBuffer buffer = NIBBLE(ffi_nibble_ffi_rustbuffer_from_bytes)(foreign, &status);
    check("rustbuffer_from_bytes", &status);
    return buffer;
}

static RustBuffer text(const char *text) { return buffer_of(text, strlen(text)); }

static RustBuffer taken(void) {
    RustBuffer buffer = buffer_of(bytes, length);
    length = 0;
    return buffer;
}

static RustBuffer none(void) {
    put(0, 1);
    return taken();
}

static void release(RustBuffer buffer) {
    RustCallStatus status = {0};
    NIBBLE(ffi_nibble_ffi_rustbuffer_free)(buffer, &status);
    check("rustbuffer_free", &status);
}

static RustBuffer model_options(void) {
    put(1, 1); /* they are given */
    put(2, 4); /* threads */
    put(0, 1); /* priority */
    put(0, 4); /* context */
    put(1, 1);
    put(3, 4); /* activations: F32 */
    put(0, 1); /* format of keys and values */
    put(0, 1); /* memory limit */
    put(0, 1); /* backend */
    return taken();
}

static RustBuffer generation_options(uint32_t tokens) {
    put(1, 1); /* they are given */
    put(tokens, 4);
    put_float(0); /* temperature */
    put(0, 4);    /* top k */
    put_float(1); /* top p */
    put_float(0); /* min p */
    put_float(1); /* repetition penalty */
    put(64, 4);   /* repetition window */
    put(0, 8);    /* seed */
    put(0, 4);    /* stop */
    put(1, 1);    /* stop at end of text */
    put(0, 1);    /* parse special tokens */
    put(0, 4);    /* prompt lookup */
    return taken();
}

static uint32_t number_at(const uint8_t *at) {
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void panic_is_caught(void) {
    RustCallStatus status = {0};
    NIBBLE(ffi_nibble_ffi_rustbuffer_alloc)(UINT64_MAX, &status);
    if (status.code != UNEXPECTED) fail("a buffer that is too large", "no panic was caught");
    release(status.errorBuf);
}

static void absent_file_is_an_error(void) {
    RustCallStatus status = {0};
    NIBBLE(uniffi_nibble_ffi_fn_constructor_model_open)(text("/absent.gguf"), none(), &status);
    if (status.code != ERROR) fail("an absent file", "no error");
    release(status.errorBuf);
}

static void generate(const char *model_file, uint32_t tokens, const char *prompt) {
    RustCallStatus status = {0};
    /* Methods consume the handle they are called with, so the ones that are called again are cloned. */
    uint64_t model = NIBBLE(uniffi_nibble_ffi_fn_constructor_model_open)(text(model_file), model_options(), &status);
    check("Model.open", &status);
    uint64_t session = NIBBLE(uniffi_nibble_ffi_fn_method_model_new_session)(model, none(), &status);
    check("Model.new_session", &status);
    uint64_t generation = NIBBLE(uniffi_nibble_ffi_fn_method_session_generate)(
        session, text(prompt), generation_options(tokens), &status);
    check("Session.generate", &status);
    for (;;) {
        uint64_t clone = NIBBLE(uniffi_nibble_ffi_fn_clone_generation)(generation, &status);
        check("Generation.clone", &status);
        RustBuffer chunk = NIBBLE(uniffi_nibble_ffi_fn_method_generation_next)(clone, &status);
        check("Generation.next", &status);
        if (chunk.len < 1) fail("Generation.next", "an empty answer");
        if (chunk.data[0] == 0) break;
        if (chunk.len < 5 || chunk.len - 5 < number_at(chunk.data + 1)) fail("Generation.next", "not a chunk");
        fwrite(chunk.data + 5, 1, number_at(chunk.data + 1), stdout);
        release(chunk);
    }
    NIBBLE(uniffi_nibble_ffi_fn_free_generation)(generation, &status);
    check("Generation.free", &status);
    putchar('\n');
}

int main(int count, char **arguments) {
    if (count != 6) fail("usage", "generate SHIMS LIBRARY MODEL TOKENS PROMPT");
    library = open_android_library(arguments[1], arguments[2]);
    if (!library) fail("dlopen", dlerror());
    uint32_t version = NIBBLE(ffi_nibble_ffi_uniffi_contract_version)();
    if (version != CONTRACT_VERSION) fail("uniffi's contract version", "another one than this program was written for");
    panic_is_caught();
    absent_file_is_an_error();
    generate(arguments[3], (uint32_t)strtoul(arguments[4], NULL, 10), arguments[5]);
    return 0;
}
