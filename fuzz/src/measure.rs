//! What a case costs: processor time and memory.
//!
//! Time is that of the process: a machine that does other things, or stops us for a while, takes nothing from a case; threads that the product
//! starts for a case count.

use std::time::Duration;

use peak_alloc::PeakAlloc;
use rustix::time::{ClockId, clock_gettime};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// What a case may cost.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Processor time.
    pub time: Duration,
    /// Bytes at the peak, above what was there before.
    pub memory: usize,
}

/// What was there before a case.
#[derive(Clone, Copy, Debug)]
pub struct Before {
    time: Duration,
    memory: usize,
}

/// What a case has cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Processor time.
    pub time: Duration,
    /// Bytes at the peak, above what was there before.
    pub memory: usize,
}

/// The processor time that this process has had.
#[must_use]
pub fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    let whole = u64::try_from(time.tv_sec).unwrap_or_default();
    Duration::new(whole, u32::try_from(time.tv_nsec).unwrap_or_default())
}

/// Begins to measure; one case at a time in a process.
#[must_use]
pub fn begin() -> Before {
    MEMORY.reset_peak_usage();
    Before {
        time: processor_time(),
        memory: MEMORY.current_usage(),
    }
}

impl Before {
    /// What came since.
    #[must_use]
    pub fn cost(self) -> Cost {
        Cost {
            time: processor_time().saturating_sub(self.time),
            memory: MEMORY.peak_usage().saturating_sub(self.memory),
        }
    }
}

impl Cost {
    /// What of it is above its bound.
    #[must_use]
    pub fn above(self, bounds: Bounds) -> Option<String> {
        if self.time > bounds.time {
            return Some(format!(
                "took {:?} of processor time, more than {:?}",
                self.time, bounds.time
            ));
        }
        (self.memory > bounds.memory).then(|| {
            format!(
                "held {} bytes at its peak, more than {}",
                self.memory, bounds.memory
            )
        })
    }
}
