//! The source of deadlines: a timer of the kernel, and a heap of what waits for it.
//!
//! tokio's own timer counts whole milliseconds and wakes one late; a `timerfd` wakes within 50 µs. Each
//! source has a task that waits for its timer and wakes who is due. Many of them share the load of many
//! threads: a lock is shared only by the connections of one source, and never held while they are woken.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use rustix::time::{
    ClockId, Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, clock_gettime,
    timerfd_create, timerfd_settime,
};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::runtime::Handle;
use tokio::task::{self, AbortHandle};

use super::deadlines::Deadlines;
use super::system_now;

/// The sources of one listener: as many as its runtime has threads, once there are as many connections.
#[derive(Debug)]
pub(crate) struct Sources {
    epoch: Epoch,
    sources: Vec<Source>,
    /// Which is next, counted on for ever.
    next: usize,
}

impl Sources {
    pub(crate) fn new() -> Self {
        Self { epoch: Epoch::now(), sources: Vec::new(), next: 0 }
    }

    /// The source for the next connection; `None` where the system has no timer left.
    pub(crate) fn next(&mut self) -> Option<Source> {
        if self.sources.len() < Handle::current().metrics().num_workers() {
            // Without a further one, those that are there have more to do.
            self.sources.extend(Source::start(self.epoch));
        }
        let index = self.next.checked_rem(self.sources.len())?;
        self.next = self.next.wrapping_add(1);
        self.sources.get(index).cloned()
    }
}

/// A source of deadlines, for as long as somebody has it.
#[derive(Clone, Debug)]
pub(crate) struct Source(Arc<Driven>);

/// A timer whose task ends with it.
#[derive(Debug)]
struct Driven {
    timer: Arc<Timer>,
    driver: AbortHandle,
}

impl Drop for Driven {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Source {
    /// Makes a timer, and starts its task on the runtime that this is called in.
    fn start(epoch: Epoch) -> Option<Self> {
        let fd = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK);
        let fd = Arc::new(fd.ok()?);
        let alarms = Alarms { deadlines: Deadlines::new(), rings: Rings::Never };
        let timer = Arc::new(Timer { fd: Arc::clone(&fd), epoch, alarms: Mutex::new(alarms) });
        let driver = Driver { fd: watch(fd).ok()?, timer: Arc::clone(&timer) };
        let driver = task::spawn(driver.run()).abort_handle();
        Some(Self(Arc::new(Driven { timer, driver })))
    }

    /// A wait, for nothing yet.
    pub(super) fn entry(&self) -> Entry {
        Entry { key: self.0.timer.lock().deadlines.add(), source: self.clone() }
    }
}

#[expect(deprecated, reason = "it is about descriptors that may be closed meanwhile; an owned one is not")]
fn watch(fd: Arc<OwnedFd>) -> io::Result<AsyncFd<Arc<OwnedFd>>> {
    AsyncFd::with_interest(fd, Interest::READABLE)
}

/// A wait of one alarm.
#[derive(Debug)]
pub(super) struct Entry {
    source: Source,
    key: usize,
}

impl Entry {
    /// Wakes the task once `deadline` has passed; `false` if the source has ended.
    pub(super) fn set(&self, cx: &Context<'_>, deadline: Instant) -> bool {
        let waker = cx.waker().clone();
        let timer = &self.source.0.timer;
        let at = timer.epoch.offset(deadline);
        let mut alarms = timer.lock();
        if alarms.rings == Rings::NoMore {
            return false;
        }
        let before = alarms.deadlines.set(self.key, at, waker);
        timer.ring_by(&mut alarms, at);
        drop(alarms);
        // A waker may be all that is left of a task, whose end may come back here.
        drop(before);
        true
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let waker = self.source.0.timer.lock().deadlines.remove(self.key);
        drop(waker);
    }
}

/// The kernel's timer, and who waits for it.
#[derive(Debug)]
struct Timer {
    fd: Arc<OwnedFd>,
    epoch: Epoch,
    alarms: Mutex<Alarms>,
}

#[derive(Debug)]
struct Alarms {
    deadlines: Deadlines<Waker>,
    rings: Rings,
}

/// When the timer rings.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Rings {
    /// At this moment, or it has and the task is about to look.
    At(u64),
    /// The task is at work, and sets it afterwards.
    Later,
    /// Nobody waits.
    Never,
    /// The task has ended.
    NoMore,
}

impl Timer {
    fn lock(&self) -> MutexGuard<'_, Alarms> {
        self.alarms.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sees to it that the timer rings by the grain after `at`.
    fn ring_by(&self, alarms: &mut Alarms, at: u64) {
        let at = rounded(at);
        match alarms.rings {
            Rings::At(rings) if rings <= at => {}
            Rings::Later | Rings::NoMore => {}
            Rings::At(_) | Rings::Never => {
                let it_interval = Timespec { tv_sec: 0, tv_nsec: 0 };
                let value = Itimerspec { it_interval, it_value: self.epoch.kernels(at) };
                // Of what it can fail by, a wrong descriptor and a wrong time, neither is here.
                let _ = timerfd_settime(&*self.fd, TimerfdTimerFlags::ABSTIME, &value);
                alarms.rings = Rings::At(at);
            }
        }
    }

    /// Takes out who is due, at most [`BATCH`]; whether there are more.
    fn take_due(&self, due: &mut Vec<Waker>) -> bool {
        let now = self.epoch.offset(system_now());
        let mut alarms = self.lock();
        while due.len() < BATCH
            && let Some(waker) = alarms.deadlines.pop(now)
        {
            due.push(waker);
        }
        let first = alarms.deadlines.first();
        match first {
            Some(at) if at <= now => {
                alarms.rings = Rings::Later;
                true
            }
            Some(at) => {
                alarms.rings = Rings::Never;
                self.ring_by(&mut alarms, at);
                false
            }
            None => {
                alarms.rings = Rings::Never;
                false
            }
        }
    }

    /// Wakes everybody; they wait elsewhere from now on.
    fn end(&self) {
        let mut alarms = self.lock();
        alarms.rings = Rings::NoMore;
        let mut wakers = Vec::new();
        while let Some(waker) = alarms.deadlines.pop(u64::MAX) {
            wakers.push(waker);
        }
        drop(alarms);
        wakers.into_iter().for_each(Waker::wake);
    }
}

/// The task of a source.
struct Driver {
    fd: AsyncFd<Arc<OwnedFd>>,
    timer: Arc<Timer>,
}

impl Driver {
    async fn run(self) {
        let mut due = Vec::with_capacity(BATCH);
        // It fails once the runtime ends.
        while let Ok(mut ready) = self.fd.readable().await {
            // It is not read: to set it anew makes it unreadable, and each time it rings is told.
            ready.clear_ready();
            while self.timer.take_due(&mut due) {
                due.drain(..).for_each(Waker::wake);
                // Who is due must not keep the listener from its turn.
                task::yield_now().await;
            }
            due.drain(..).for_each(Waker::wake);
        }
    }
}

/// It ends with its source, or with its runtime.
impl Drop for Driver {
    fn drop(&mut self) {
        self.timer.end();
    }
}

/// A moment by both clocks, the kernel's not before ours: what counts from it is late rather than early.
#[derive(Clone, Copy, Debug)]
struct Epoch {
    ours: Instant,
    kernels: Timespec,
}

impl Epoch {
    fn now() -> Self {
        Self { ours: system_now(), kernels: clock_gettime(ClockId::Monotonic) }
    }

    /// Nanoseconds until a moment.
    fn offset(&self, moment: Instant) -> u64 {
        let offset = moment.saturating_duration_since(self.ours).as_nanos();
        u64::try_from(offset).unwrap_or(u64::MAX)
    }

    /// The moment after so many nanoseconds, as the kernel counts.
    fn kernels(&self, offset: u64) -> Timespec {
        let offset = Timespec::try_from(Duration::from_nanos(offset)).ok();
        offset.and_then(|offset| self.kernels.checked_add(offset)).unwrap_or(FOR_EVER)
    }
}

/// The grain that is not before `at`.
fn rounded(at: u64) -> u64 {
    at.div_ceil(GRAIN).saturating_mul(GRAIN)
}

/// Deadlines are rounded up to a multiple of this, in nanoseconds, so that neighbours share a wake-up.
///
/// An event is late by half of it, on average; without it, each of many streams pays for waking the thread.
const GRAIN: u64 = 250_000;

/// How many are woken before others have a turn.
const BATCH: usize = 128;

/// As the kernel counts.
const FOR_EVER: Timespec = Timespec { tv_sec: i64::MAX, tv_nsec: 0 };

#[cfg(test)]
mod tests {
    use std::sync::Weak;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use proptest::prelude::*;
    use tokio::runtime::{Builder, Runtime};

    use super::*;
    use crate::serve::clock::{self, Alarm, Wait};

    fn one_thread() -> Runtime {
        Builder::new_current_thread().enable_all().build().unwrap()
    }

    fn source() -> Source {
        Source::start(Epoch::now()).unwrap()
    }

    /// How often it was woken.
    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Sets an alarm for later, and returns it without waiting.
    fn set(source: &Source, count: &Arc<Count>, deadline: tokio::time::Instant) -> Alarm {
        let mut alarm = Alarm::on(Some(source));
        let waker = Waker::from(Arc::clone(count));
        assert!(alarm.poll(&mut Context::from_waker(&waker), deadline).is_pending());
        assert!(matches!(alarm.wait, Wait::Source(_)));
        alarm
    }

    /// How many wait.
    fn waiting(source: &Source) -> usize {
        let mut alarms = source.0.timer.lock();
        let mut wakers = Vec::new();
        while let Some(waker) = alarms.deadlines.pop(u64::MAX) {
            wakers.push(waker);
        }
        wakers.len()
    }

    const FAR: Duration = Duration::from_secs(3600);

    /// Every alarm of many tasks, each several times, rings; and none before its deadline.
    fn check_many(runtime: &Runtime, sources: usize) {
        let rung = Arc::new(AtomicUsize::new(0));
        runtime.block_on(async {
            let epoch = Epoch::now();
            let sources: Vec<_> = (0..sources).map(|_| Source::start(epoch).unwrap()).collect();
            let start = clock::now();
            let tasks: Vec<_> = (0..500)
                .map(|index| {
                    let (source, rung) = (sources[index % sources.len()].clone(), Arc::clone(&rung));
                    tokio::spawn(async move {
                        let mut alarm = Alarm::on(Some(&source));
                        for step in 1..=10 {
                            // Not in order, and many at the same moment.
                            let at = (index as u64 * 7919) % 61 * 100 + step * 5_000;
                            let deadline = start + Duration::from_micros(at);
                            alarm.until(deadline).await;
                            assert!(clock::now() >= deadline);
                            rung.fetch_add(1, Ordering::Relaxed);
                        }
                    })
                })
                .collect();
            for task in tasks {
                task.await.unwrap();
            }
            assert!(sources.iter().all(|source| waiting(source) == 0));
        });
        assert_eq!(rung.load(Ordering::Relaxed), 5_000);
    }

    #[test]
    fn every_alarm_rings_and_none_early() {
        check_many(&one_thread(), 1);
    }

    #[test]
    fn every_alarm_rings_whatever_the_threads() {
        let runtime = Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap();
        check_many(&runtime, 1);
        check_many(&runtime, 4);
    }

    #[test]
    fn an_alarm_can_be_set_to_sooner_and_to_later() {
        one_thread().block_on(async {
            let (source, count) = (source(), Arc::<Count>::default());
            let start = clock::now();
            let mut alarm = set(&source, &count, start + FAR);
            for at in [4, 8, 6, 9] {
                let deadline = start + Duration::from_millis(at);
                alarm.until(deadline).await;
                assert!(clock::now() >= deadline);
            }
            assert_eq!(count.0.load(Ordering::Relaxed), 0);
        });
    }

    #[test]
    fn who_leaves_leaves_nothing_behind() {
        one_thread().block_on(async {
            let (source, count) = (source(), Arc::<Count>::default());
            let far = clock::now() + FAR;
            let alarms: Vec<_> = (0..100).map(|_| set(&source, &count, far)).collect();
            let stays = set(&source, &count, far);
            assert_eq!(Arc::strong_count(&count), 102);
            drop(alarms);
            assert_eq!(Arc::strong_count(&count), 2);
            drop(stays);
            assert_eq!((waiting(&source), Arc::strong_count(&count)), (0, 1));
        });
    }

    #[test]
    fn a_source_ends_with_the_last_who_has_it() {
        one_thread().block_on(async {
            let source = source();
            let timer: Weak<Timer> = Arc::downgrade(&source.0.timer);
            let alarm = set(&source, &Arc::default(), clock::now() + FAR);
            drop(source);
            task::yield_now().await;
            assert!(timer.upgrade().is_some());
            drop(alarm);
            task::yield_now().await;
            assert!(timer.upgrade().is_none());
        });
    }

    #[test]
    fn alarms_that_outlive_their_runtime_wait_by_that_which_polls_them() {
        let (runtime, count) = (one_thread(), Arc::<Count>::default());
        let source = runtime.block_on(async { source() });
        let alarm = set(&source, &count, clock::now() + FAR);
        drop(runtime);
        // Who waited is told.
        assert_eq!((count.0.load(Ordering::Relaxed), waiting(&source)), (1, 0));
        one_thread().block_on(async {
            for mut alarm in [alarm, Alarm::on(Some(&source))] {
                let mut cx = Context::from_waker(Waker::noop());
                assert!(alarm.poll(&mut cx, clock::now() + FAR).is_pending());
                assert!(matches!(alarm.wait, Wait::Sleep(_)));
                let deadline = clock::now() + Duration::from_millis(2);
                alarm.until(deadline).await;
                assert!(clock::now() >= deadline);
            }
        });
    }

    #[test]
    fn tasks_that_wait_do_not_keep_a_runtime() {
        for threads in [1, 3] {
            let runtime = Builder::new_multi_thread().worker_threads(threads).enable_all().build().unwrap();
            let source = runtime.block_on(async { source() });
            for _ in 0..100 {
                let source = source.clone();
                runtime.spawn(async move { Alarm::on(Some(&source)).until(clock::now() + FAR).await });
            }
            drop(runtime);
            assert_eq!(waiting(&source), 0);
        }
    }

    #[test]
    fn a_paused_clock_is_tokios() {
        let paused = Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        paused.block_on(async {
            let source = source();
            let start = clock::now();
            let mut alarm = Alarm::on(Some(&source));
            for at in [FAR, FAR * 2] {
                alarm.until(start + at).await;
                assert_eq!(clock::now(), start + at);
            }
            assert!(matches!(alarm.wait, Wait::Sleep(_)));
        });
    }

    #[test]
    fn a_clock_that_is_paused_meanwhile_is_tokios_from_then_on() {
        one_thread().block_on(async {
            let source = source();
            let deadline = clock::now() + FAR;
            let mut alarm = set(&source, &Arc::default(), deadline);
            tokio::time::pause();
            alarm.until(deadline).await;
            // tokio counts whole milliseconds, here from one that has begun.
            assert!(clock::now() >= deadline && clock::now() < deadline + Duration::from_millis(2));
            assert!(matches!(alarm.wait, Wait::Sleep(_)));
            assert_eq!(waiting(&source), 0);
        });
    }

    #[test]
    fn a_listener_has_as_many_sources_as_threads_and_its_connections_take_turns() {
        let runtime = Builder::new_multi_thread().worker_threads(3).enable_all().build().unwrap();
        runtime.block_on(async {
            let mut sources = Sources::new();
            let taken: Vec<_> = (0..9).map(|_| sources.next().unwrap()).collect();
            assert_eq!(sources.sources.len(), 3);
            for source in &sources.sources {
                let turns = taken.iter().filter(|taken| Arc::ptr_eq(&taken.0, &source.0));
                assert_eq!(turns.count(), 3);
            }
        });
    }

    proptest! {
        /// The timer is set to no earlier than the deadline, to less than a grain after it, and to a
        /// moment that neighbours share.
        #[test]
        fn deadlines_are_rounded_up_to_a_grain(at in 0..u64::MAX / 2) {
            let rings = rounded(at);
            prop_assert!(rings >= at && rings - at < GRAIN);
            prop_assert_eq!(rings % GRAIN, 0);
        }
    }

    #[test]
    fn the_kernel_counts_from_no_earlier_than_we_do() {
        let epoch = Epoch::now();
        let one = epoch.kernels(1_000_000_001);
        assert_eq!(one - epoch.kernels, Timespec { tv_sec: 1, tv_nsec: 1 });
        assert_eq!(epoch.offset(epoch.ours + FAR), 3_600_000_000_000);
        // What was due before the epoch is due.
        assert_eq!(epoch.offset(epoch.ours.checked_sub(Duration::from_secs(1)).unwrap()), 0);
        assert_eq!(Epoch { kernels: FOR_EVER, ..epoch }.kernels(u64::MAX), FOR_EVER);
    }
}
