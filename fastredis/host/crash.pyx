"""Crash reports: what the log tells when a signal ends the process, or says that it is stuck.

The handlers run in a process that is broken: they only write(2) what was prepared. Then Python's faulthandler, which
was enabled before them, adds the Python stack, and the signal does what it would have done.
"""
import faulthandler
import os
import signal

from fastredis.ds.alloc cimport mem_exit_at_end, mem_report_to

cdef extern from *:
    """
    #include <execinfo.h>
    #include <signal.h>
    #include <stdio.h>
    #include <string.h>
    #include <unistd.h>

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
    """
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
