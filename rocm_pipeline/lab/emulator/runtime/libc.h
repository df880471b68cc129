// The C library as far as the runtime uses it. Declared here, because the compiler comes without
// the system's headers; layouts are those of Linux on x86-64 and aarch64 (glibc and musl).
#pragma once

typedef __SIZE_TYPE__ size_t;
typedef __UINTPTR_TYPE__ uintptr_t;
typedef unsigned char uint8_t;
typedef unsigned short uint16_t;
typedef int int32_t;
typedef unsigned int uint32_t;
typedef unsigned long long uint64_t;
typedef long long int64_t;

extern "C" {
void* mmap(void* address, size_t size, int protection, int flags, int fd, long offset);
int munmap(void* address, size_t size);
int mprotect(void* address, size_t size, int protection);
void* memcpy(void* to, const void* from, size_t size);
void* memset(void* to, int byte, size_t size);
int memcmp(const void* a, const void* b, size_t size);
long write(int fd, const void* data, size_t size);
[[noreturn]] void _exit(int status);

struct stack_description {
    void* bottom;
    int flags;
    size_t size;
};
struct signal_action {
    void (*handler)(int signal, void* information, void* context);
    unsigned long mask[16];
    int flags;
    void (*restorer)();
};
struct interval_timer {
    long interval_seconds, interval_microseconds, seconds, microseconds;
};
int setitimer(int which, const interval_timer* timer, interval_timer* old);
int sigaction(int signal, const signal_action* action, signal_action* old);
int sigaltstack(const stack_description* stack, stack_description* old);
}

// For what kernels and the driver find by name; all else is hidden.
#define EXPORTED __attribute__((visibility("default")))

constexpr int protection_none = 0, protection_read_write = 3;
constexpr int map_private = 0x02, map_anonymous = 0x20, map_no_reserve = 0x4000;

// Zeroed memory that takes no room until it is touched. Ends the process when there is none.
inline void* reserve(size_t size) {
    void* place = mmap(
        nullptr, size, protection_read_write, map_private | map_anonymous | map_no_reserve, -1, 0);
    if (place == reinterpret_cast<void*>(-1)) {
        static const char text[] = "hip emulator: out of memory\n";
        write(2, text, sizeof(text) - 1);
        _exit(70);
    }
    return place;
}
