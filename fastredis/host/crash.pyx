"""Crash reports: what the log tells when a signal or a lack of memory ends the process, or when it is stuck.

The handlers run in a process that is broken: they only write(2) what was prepared. Then Python's faulthandler, which
was enabled before them, adds the Python stack, and the signal does what it would have done.
"""
import faulthandler
import os
import signal

from fastredis.ds.alloc cimport LARGE, mem_exit_at_end, mem_give_up, mem_report_to

cdef extern from *:
    """
    #include <signal.h>
    #include <stdio.h>
    #include <string.h>
    #include <unistd.h>

    #if __has_include(<execinfo.h>)
    #include <execinfo.h>
    #else                       /* musl: a report has Python's stack only */
    static int backtrace(void **frames, int size) { (void)frames; (void)size; return 0; }
    static void backtrace_symbols_fd(void **frames, int size, int fd) { (void)frames; (void)size; (void)fd; }
    #endif

    #define FR_CRASH_FRAMES 64

    static int fr_crash_fd = 2;
    static char fr_crash_version[64];
    static const int fr_crash_signals[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT };
    static struct sigaction fr_crash_before[sizeof(fr_crash_signals) / sizeof(int)];
    static struct sigaction fr_alarm_before;        /* faulthandler's */

    static void fr_crash_handler(int number, siginfo_t *info, void *context) {
        void *frames[FR_CRASH_FRAMES];
        char line[256];
        size_t i;
        int size;

        (void)context;
        size = snprintf(line, sizeof line,
                        "\\n=== REDIS BUG REPORT START: Cut & paste starting from here ===\\n"
                        "%d:M # fastredis %s crashed by signal: %d, si_code: %d, accessing address: %p\\n",
                        (int)getpid(), fr_crash_version, number, info->si_code, info->si_addr);
        if (write(fr_crash_fd, line, size) < 0) return;
        backtrace_symbols_fd(frames, backtrace(frames, FR_CRASH_FRAMES), fr_crash_fd);
        for (i = 0; i < sizeof(fr_crash_signals) / sizeof(int); i++)
            if (fr_crash_signals[i] == number) sigaction(number, &fr_crash_before[i], NULL);
        raise(number);      /* whoever handled it before has its turn */
    }

    static void fr_alarm_handler(int number, siginfo_t *info, void *context) {
        char line[64];
        void *frames[FR_CRASH_FRAMES];
        int size = snprintf(line, sizeof line, "%d:M # %s\\n", (int)getpid(),
                            info->si_code == SI_USER ? "Received SIGALRM" : "--- WATCHDOG TIMER EXPIRED ---");

        (void)number;
        (void)context;
        if (write(fr_crash_fd, line, size) < 0) return;
        backtrace_symbols_fd(frames, backtrace(frames, FR_CRASH_FRAMES), fr_crash_fd);
        fr_alarm_before.sa_handler(number);
    }

    static void fr_alarm_install(int fd) {
        struct sigaction action;
        void *frame;

        fr_crash_fd = fd;
        backtrace(&frame, 1);       /* loads libgcc now: in a crash it could not */
        memset(&action, 0, sizeof action);
        action.sa_sigaction = fr_alarm_handler;
        action.sa_flags = SA_SIGINFO | SA_RESTART;
        sigaction(SIGALRM, &action, &fr_alarm_before);
    }

    static void fr_crash_install(const char *version) {
        struct sigaction action;
        size_t i;

        strncpy(fr_crash_version, version, sizeof fr_crash_version - 1);
        for (i = 0; i < sizeof(fr_crash_signals) / sizeof(int); i++) {
            memset(&action, 0, sizeof action);
            action.sa_sigaction = fr_crash_handler;
            action.sa_flags = SA_SIGINFO | SA_NODEFER | SA_RESETHAND;
            sigaction(fr_crash_signals[i], &action, &fr_crash_before[i]);
        }
    }

    /* Python's memory: requests that the system does not grant, but for large ones, end the process. */
    typedef void (*fr_GiveUp)(const char *what, size_t number);
    static fr_GiveUp fr_give_up_python;
    static size_t fr_large;
    static PyMemAllocatorEx fr_raw;
    static PyObjectArenaAllocator fr_arenas;

    static void *fr_granted(void *block, size_t size) {
        if (block == NULL && size < fr_large) fr_give_up_python("out of memory, bytes asked for by Python:", size);
        return block;
    }
    static void *fr_raw_malloc(void *ctx, size_t size) { return fr_granted(fr_raw.malloc(ctx, size), size); }
    static void *fr_raw_calloc(void *ctx, size_t count, size_t size) {
        return fr_granted(fr_raw.calloc(ctx, count, size), count * size);
    }
    static void *fr_raw_realloc(void *ctx, void *block, size_t size) {
        return fr_granted(fr_raw.realloc(ctx, block, size), size);
    }
    static void fr_raw_free(void *ctx, void *block) { fr_raw.free(ctx, block); }
    static void *fr_arena_alloc(void *ctx, size_t size) {
        void *block = fr_arenas.alloc(ctx, size);

        if (block == NULL) fr_give_up_python("out of memory, bytes asked for by Python:", size);
        return block;
    }
    static void fr_arena_free(void *ctx, void *block, size_t size) { fr_arenas.free(ctx, block, size); }

    static void fr_watch_python(fr_GiveUp give_up, size_t large) {
        PyMemAllocatorEx raw;
        PyObjectArenaAllocator arenas;

        if (fr_give_up_python != NULL) return;
        fr_give_up_python = give_up;
        fr_large = large;
        PyMem_GetAllocator(PYMEM_DOMAIN_RAW, &fr_raw);
        raw.ctx = fr_raw.ctx;
        raw.malloc = fr_raw_malloc;
        raw.calloc = fr_raw_calloc;
        raw.realloc = fr_raw_realloc;
        raw.free = fr_raw_free;
        PyMem_SetAllocator(PYMEM_DOMAIN_RAW, &raw);
        PyObject_GetArenaAllocator(&fr_arenas);
        arenas.ctx = fr_arenas.ctx;
        arenas.alloc = fr_arena_alloc;
        arenas.free = fr_arena_free;
        PyObject_SetArenaAllocator(&arenas);
    }
    """
    ctypedef void (*GiveUp "fr_GiveUp")(const char* what, size_t number) noexcept
    void watch_python "fr_watch_python"(GiveUp give_up, size_t large)
    void alarm_install "fr_alarm_install"(int fd)
    void crash_install "fr_crash_install"(const char* version)


def report_trouble(str logfile, str version, bint crashes):
    """From now on SIGALRM, the watchdog's as anybody's, has what the process is doing reported in the log.

    And so, if asked for, are crashes. The log is a file, or (empty) the standard output; it is opened now: a process
    that crashes cannot.
    """
    fd = os.open(logfile, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666) if logfile else 1
    faulthandler.register(signal.SIGALRM, fd)
    alarm_install(fd)
    mem_report_to(fd if logfile else -1)
    if crashes:
        faulthandler.enable(fd)
        crash_install(version.encode())


def exit_without_memory(bint exits):
    """Whether a process that is out of memory ends by exit(1), not by abort() (use-exit-on-panic)."""
    mem_exit_at_end(exits)


def end_without_python_memory():
    """From now on Python's memory is as ours: a request that can't be granted ends the process, unless it is large.

    A MemoryError is left for what a client has made large. Without this CPython may even spin for ever, where it needs
    memory to unwind its stack.
    """
    watch_python(<GiveUp>mem_give_up, LARGE)
