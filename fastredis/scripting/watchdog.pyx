"""The thread that has long scripts interrupted. The design comment is in watchdog.pxd."""

cdef extern from *:
    """
    #include <pthread.h>
    #include <sched.h>
    #include <signal.h>
    #include <stdint.h>
    #include <stdlib.h>
    #include <time.h>

    enum { FR_IDLE, FR_RUNNING, FR_ARMING, FR_ARMED, FR_SEEN, FR_PHASES = 8 };
    #if defined(__APPLE__)              /* conditions know no other clock there */
    #define FR_DOG_CLOCK CLOCK_REALTIME
    #else
    #define FR_DOG_CLOCK CLOCK_MONOTONIC
    #endif
    #define FR_MOST_TICK_NS 100000000
    #define FR_LEAST_TICK_NS 1000000
    #define FR_IDLE_TICKS 20            /* without a run, then it sleeps */

    struct fr_watchdog {
        pthread_t thread;
        pthread_mutex_t lock;           /* of `asleep` and `ending`, where one waits for them */
        pthread_cond_t wake;
        uint64_t state;                 /* number of the run * FR_PHASES + phase */
        void *subject;                  /* this and the next two: of the run, set before it begins */
        void (*alarm)(void *subject);
        int64_t patience_ns;
        uint64_t asked;                 /* how often a script was that went on */
        int asleep;
        int ending;
    };

    static int64_t fr_dog_now(void) {
        struct timespec now;

        clock_gettime(FR_DOG_CLOCK, &now);
        return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
    }

    static int fr_dog_move(fr_watchdog *dog, uint64_t from, uint64_t to) {
        return __atomic_compare_exchange_n(&dog->state, &from, to, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
    }

    /* Wait for a tick, or, if `ticks` is 0, for the next run. With the lock. */
    static void fr_dog_wait(fr_watchdog *dog, int64_t tick_ns, int ticks) {
        struct timespec until;
        int64_t end_ns = fr_dog_now() + tick_ns;

        if (ticks) {
            until.tv_sec = end_ns / 1000000000;
            until.tv_nsec = end_ns % 1000000000;
            pthread_cond_timedwait(&dog->wake, &dog->lock, &until);
            return;
        }
        __atomic_store_n(&dog->asleep, 1, __ATOMIC_SEQ_CST);
        while (__atomic_load_n(&dog->state, __ATOMIC_SEQ_CST) % FR_PHASES == FR_IDLE && !dog->ending)
            pthread_cond_wait(&dog->wake, &dog->lock);
        __atomic_store_n(&dog->asleep, 0, __ATOMIC_SEQ_CST);
    }

    static void *fr_dog_watch(void *argument) {
        fr_watchdog *dog = argument;
        uint64_t run = 0, asked = 0, state, number, count;
        int64_t since_ns = 0, patience_ns, tick_ns = FR_MOST_TICK_NS;
        int ticks = 0;                  /* until it may sleep */

        pthread_mutex_lock(&dog->lock);
        while (!dog->ending) {
            state = __atomic_load_n(&dog->state, __ATOMIC_SEQ_CST);
            number = state / FR_PHASES;
            count = __atomic_load_n(&dog->asked, __ATOMIC_SEQ_CST);
            if (number != run) {
                run = number;
                since_ns = fr_dog_now();
                ticks = FR_IDLE_TICKS;
                patience_ns = __atomic_load_n(&dog->patience_ns, __ATOMIC_RELAXED);
                tick_ns = patience_ns / 8;
                if (tick_ns > FR_MOST_TICK_NS) tick_ns = FR_MOST_TICK_NS;
                if (tick_ns < FR_LEAST_TICK_NS) tick_ns = FR_LEAST_TICK_NS;
            } else if (state % FR_PHASES == FR_IDLE) {
                ticks -= ticks > 0;
            } else if (count != asked) {
                asked = count;
            } else if (state % FR_PHASES != FR_SEEN
                       && fr_dog_now() - since_ns >= __atomic_load_n(&dog->patience_ns, __ATOMIC_RELAXED)
                       && fr_dog_move(dog, state, number * FR_PHASES + FR_ARMING)) {
                dog->alarm(dog->subject);
                __atomic_store_n(&dog->state, number * FR_PHASES + FR_ARMED, __ATOMIC_SEQ_CST);
            }
            fr_dog_wait(dog, tick_ns, ticks);
        }
        pthread_mutex_unlock(&dog->lock);
        return NULL;
    }

    static fr_watchdog *fr_dog_new(void) {
        fr_watchdog *dog = calloc(1, sizeof *dog);
        pthread_condattr_t steady;
        sigset_t all, before;
        int failed;

        if (!dog) return NULL;
        pthread_mutex_init(&dog->lock, NULL);
        pthread_condattr_init(&steady);
    #if !defined(__APPLE__)
        pthread_condattr_setclock(&steady, FR_DOG_CLOCK);
    #endif
        pthread_cond_init(&dog->wake, &steady);
        pthread_condattr_destroy(&steady);
        /* Signals are the main thread's. */
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        failed = pthread_create(&dog->thread, NULL, fr_dog_watch, dog);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        if (!failed) return dog;
        free(dog);
        return NULL;
    }

    static void fr_dog_free(fr_watchdog *dog) {
        pthread_mutex_lock(&dog->lock);
        dog->ending = 1;
        pthread_cond_signal(&dog->wake);
        pthread_mutex_unlock(&dog->lock);
        pthread_join(dog->thread, NULL);
        pthread_cond_destroy(&dog->wake);
        pthread_mutex_destroy(&dog->lock);
        free(dog);
    }

    static void fr_dog_begin(fr_watchdog *dog, void (*alarm)(void *), void *subject, int64_t patience_ns) {
        dog->alarm = alarm;
        dog->subject = subject;
        __atomic_store_n(&dog->patience_ns, patience_ns, __ATOMIC_RELAXED);
        __atomic_store_n(&dog->state, (dog->state / FR_PHASES + 1) * FR_PHASES + FR_RUNNING, __ATOMIC_SEQ_CST);
        if (__atomic_load_n(&dog->asleep, __ATOMIC_SEQ_CST)) {
            pthread_mutex_lock(&dog->lock);
            pthread_cond_signal(&dog->wake);
            pthread_mutex_unlock(&dog->lock);
        }
    }

    /* The state, once the dog has nothing in hand. */
    static uint64_t fr_dog_state(fr_watchdog *dog) {
        uint64_t state;

        while ((state = __atomic_load_n(&dog->state, __ATOMIC_SEQ_CST)) % FR_PHASES == FR_ARMING) sched_yield();
        return state;
    }

    static void fr_dog_seen(fr_watchdog *dog) {
        uint64_t state;

        do state = fr_dog_state(dog);
        while (!fr_dog_move(dog, state, state / FR_PHASES * FR_PHASES + FR_SEEN));
    }

    static void fr_dog_again(fr_watchdog *dog) {
        uint64_t run = dog->state / FR_PHASES * FR_PHASES;

        __atomic_fetch_add(&dog->asked, 1, __ATOMIC_SEQ_CST);
        fr_dog_move(dog, run + FR_SEEN, run + FR_ARMED);
    }

    static int fr_dog_end(fr_watchdog *dog) {
        uint64_t state;

        do state = fr_dog_state(dog);
        while (!fr_dog_move(dog, state, state / FR_PHASES * FR_PHASES + FR_IDLE));
        return state % FR_PHASES != FR_RUNNING;
    }
    """
    Watchdog* fr_dog_new()
    void fr_dog_free(Watchdog* dog)
    void fr_dog_begin(Watchdog* dog, Alarm alarm, void* subject, int64_t patience_ns) noexcept nogil
    void fr_dog_seen(Watchdog* dog) noexcept nogil
    void fr_dog_again(Watchdog* dog) noexcept nogil
    bint fr_dog_end(Watchdog* dog) noexcept nogil


cdef Watchdog* dog_new() except NULL:
    """A dog, asleep. Errors: MemoryError, also if there is no thread to be had."""
    cdef Watchdog* dog = fr_dog_new()

    if dog is NULL:
        raise MemoryError("no thread to watch over scripts")
    return dog


cdef void dog_free(Watchdog* dog) noexcept:
    fr_dog_free(dog)


cdef void dog_begin(Watchdog* dog, Alarm alarm, void* subject, int64_t patience_ms) noexcept nogil:
    fr_dog_begin(dog, alarm, subject, patience_ms * 1000000)


cdef void dog_seen(Watchdog* dog) noexcept nogil:
    fr_dog_seen(dog)


cdef void dog_again(Watchdog* dog) noexcept nogil:
    fr_dog_again(dog)


cdef bint dog_end(Watchdog* dog) noexcept nogil:
    return fr_dog_end(dog)
