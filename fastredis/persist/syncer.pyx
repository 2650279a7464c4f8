"""The thread that syncs the AOF. The design comment is in syncer.pxd."""
import os

from libc.errno cimport errno

cdef extern from *:
    """
    #include <errno.h>
    #include <pthread.h>
    #include <signal.h>
    #include <stdint.h>
    #include <stdlib.h>
    #include <time.h>
    #include <unistd.h>
    #if defined(__linux__)
    #include <sys/syscall.h>
    #define fr_thread_id() ((long)syscall(SYS_gettid))
    #else
    #define fr_thread_id() 0L
    #endif
    #if defined(__APPLE__)
    #define fr_datasync(fd) fsync(fd)
    #else
    #define fr_datasync(fd) fdatasync(fd)
    #endif

    typedef struct fr_job {
        struct fr_job *next;
        int fd;
        int closing;
        int64_t number;
        int error;                      /* errno; 0: it is on the disk */
        int64_t took_us;
    } fr_job;

    typedef struct {
        fr_job *first, *last;
    } fr_jobs;

    typedef struct {
        pthread_t thread;
        pthread_mutex_t lock;
        pthread_cond_t work;            /* there is a job, or the end */
        pthread_cond_t idle;            /* there is none any more */
        fr_jobs queued;
        fr_jobs done;
        int busy;
        int ending;
        int bell;
        long thread_id;
    } fr_threads;

    static void fr_put(fr_jobs *jobs, fr_job *job) {
        job->next = NULL;
        if (jobs->last) jobs->last->next = job;
        else jobs->first = job;
        jobs->last = job;
    }

    static fr_job *fr_take(fr_jobs *jobs) {
        fr_job *job = jobs->first;

        if (job && !(jobs->first = job->next)) jobs->last = NULL;
        return job;
    }

    static int64_t fr_now_us(void) {
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
    }

    static void fr_do(fr_job *job) {
        int64_t start = fr_now_us();

        job->error = fr_datasync(job->fd) < 0 ? errno : 0;
        job->took_us = fr_now_us() - start;
        if (job->closing) close(job->fd);
    }

    static void *fr_work(void *argument) {
        fr_threads *s = argument;
        fr_job *job;

        pthread_mutex_lock(&s->lock);
        s->thread_id = fr_thread_id();
        pthread_cond_broadcast(&s->idle);
        for (;;) {
            while (!(job = fr_take(&s->queued)) && !s->ending) pthread_cond_wait(&s->work, &s->lock);
            if (!job) break;
            s->busy = 1;
            pthread_mutex_unlock(&s->lock);
            fr_do(job);
            pthread_mutex_lock(&s->lock);
            s->busy = 0;
            fr_put(&s->done, job);
            if (write(s->bell, "", 1) < 0) {}       /* full: then the loop has been called already */
            if (!s->queued.first) pthread_cond_broadcast(&s->idle);
        }
        pthread_mutex_unlock(&s->lock);
        return NULL;
    }

    static int fr_start(fr_threads *s, int bell) {      /* returns an errno */
        sigset_t all, before;
        int error;

        pthread_mutex_init(&s->lock, NULL);
        pthread_cond_init(&s->work, NULL);
        pthread_cond_init(&s->idle, NULL);
        s->bell = bell;
        sigfillset(&all);                               /* signals are the main thread's business */
        pthread_sigmask(SIG_BLOCK, &all, &before);
        error = pthread_create(&s->thread, NULL, fr_work, s);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        if (error) return error;
        pthread_mutex_lock(&s->lock);
        while (!s->thread_id && fr_thread_id()) pthread_cond_wait(&s->idle, &s->lock);
        pthread_mutex_unlock(&s->lock);
        return 0;
    }

    static int fr_submit(fr_threads *s, int fd, int closing, int64_t number) {
        fr_job *job = calloc(1, sizeof *job);

        if (!job) return -1;
        job->fd = fd;
        job->closing = closing;
        job->number = number;
        pthread_mutex_lock(&s->lock);
        fr_put(&s->queued, job);
        pthread_cond_signal(&s->work);
        pthread_mutex_unlock(&s->lock);
        return 0;
    }

    static int fr_next_done(fr_threads *s, int64_t *number, int *error, int64_t *took_us) {
        fr_job *job;

        pthread_mutex_lock(&s->lock);
        job = fr_take(&s->done);
        pthread_mutex_unlock(&s->lock);
        if (!job) return 0;
        *number = job->number;
        *error = job->error;
        *took_us = job->took_us;
        free(job);
        return 1;
    }

    static void fr_wait_idle(fr_threads *s) {
        pthread_mutex_lock(&s->lock);
        while (s->queued.first || s->busy) pthread_cond_wait(&s->idle, &s->lock);
        pthread_mutex_unlock(&s->lock);
    }

    static void fr_stop(fr_threads *s) {                /* what is queued is done before */
        pthread_mutex_lock(&s->lock);
        s->ending = 1;
        pthread_cond_signal(&s->work);
        pthread_mutex_unlock(&s->lock);
        pthread_join(s->thread, NULL);
        while (s->done.first) free(fr_take(&s->done));
        free(s);
    }
    """
    ctypedef struct fr_threads:
        long thread_id
    int datasync "fr_datasync"(int fd) nogil
    int start "fr_start"(fr_threads* s, int bell) nogil
    int put_job "fr_submit"(fr_threads* s, int fd, int closing, int64_t number) nogil
    int next_done "fr_next_done"(fr_threads* s, int64_t* number, int* error, int64_t* took_us) nogil
    void wait_idle "fr_wait_idle"(fr_threads* s) nogil
    void stop "fr_stop"(fr_threads* s) nogil

cdef extern from "<stdlib.h>" nogil:
    void* calloc(size_t count, size_t size)
    void free(void* p)

cdef enum:
    BELL_BYTES = 4096


def sync_file(int fd):
    """fdatasync(2) of a file, here and now. Raises OSError."""
    cdef int result
    cdef int error

    with nogil:
        result = datasync(fd)
        error = errno
    if result < 0:
        raise OSError(error, os.strerror(error))


cdef class Syncer:
    """See syncer.pxd. Raises OSError when the system has no thread or no descriptors for it."""

    def __cinit__(self, loop, done):
        self.wake = self.bell = -1

    def __init__(self, loop, done):
        cdef fr_threads* shared
        cdef int error

        self.loop = loop
        self.done = done
        self.wake, self.bell = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC) if hasattr(os, "pipe2") else quiet_pipe()
        shared = <fr_threads*>calloc(1, sizeof(fr_threads))
        if shared is NULL:
            raise MemoryError
        error = start(shared, self.bell)
        if error:
            free(shared)
            raise OSError(error, os.strerror(error))
        self.shared = shared
        loop.add_reader(self.wake, self.tell)

    def __dealloc__(self):
        if self.shared is not NULL:
            with nogil:
                stop(<fr_threads*>self.shared)
        for end in (self.wake, self.bell):
            if end >= 0:
                os.close(end)

    @property
    def thread_id(self):
        """The thread's number for sched_setaffinity(2)."""
        return (<fr_threads*>self.shared).thread_id

    cdef int submit(self, int fd, bint closing, int64_t number) except -1:
        if put_job(<fr_threads*>self.shared, fd, closing, number) < 0:
            raise MemoryError
        self.pending += 1
        return 0

    def tell(self):
        """Loop: tell of what is done."""
        cdef int64_t number = 0
        cdef int64_t took_us = 0
        cdef int error = 0

        try:
            os.read(self.wake, BELL_BYTES)
        except BlockingIOError:
            pass
        while self.shared is not NULL and next_done(<fr_threads*>self.shared, &number, &error, &took_us):
            self.pending -= 1
            self.done(number, error, took_us)

    def drain(self):
        """Wait until all is done, and tell of it."""
        with nogil:
            wait_idle(<fr_threads*>self.shared)
        self.tell()

    def close(self):
        """End the thread, once it is done. The loop does not call any more."""
        if self.shared is NULL:
            return
        self.loop.remove_reader(self.wake)
        with nogil:
            stop(<fr_threads*>self.shared)
        self.shared = NULL


def quiet_pipe():
    """os.pipe2() where there is none."""
    ends = os.pipe()
    for end in ends:
        os.set_blocking(end, False)
    return ends
