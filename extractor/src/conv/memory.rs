//! Float buffers that several threads fill at once, on huge pages where the system has them.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::ptr::NonNull;

#[cfg(all(target_os = "linux", not(miri)))]
use rustix::mm::{Advice, madvise};

/// Bytes of a cache line, and of the widest vector.
const LINE: usize = 64;
/// Bytes of a huge page.
const HUGE: usize = 2 << 20;

/// Zeroed, aligned floats. Threads write to disjoint parts through [`Buffer::at`]; the schedules say why
/// the parts are disjoint and which barrier lies between a write and the reads of other threads.
#[derive(Debug)]
pub(super) struct Buffer {
    start: NonNull<f32>,
    len: usize,
    layout: Layout,
}

// SAFETY: the buffer owns its memory, f32 has no thread affinity, and all access goes through raw pointers
// whose users guarantee disjoint writes.
unsafe impl Send for Buffer {}
// SAFETY: as above; `&Buffer` alone gives no access without `unsafe`.
unsafe impl Sync for Buffer {}

impl Buffer {
    /// Allocates `len` zeros.
    pub(super) fn zeroed(len: usize) -> Self {
        let bytes = len.max(1) * size_of::<f32>();
        let align = if bytes >= HUGE / 16 { HUGE } else { LINE };
        let bytes = bytes.next_multiple_of(align);
        let layout = match Layout::from_size_align(bytes, align) {
            Ok(layout) => layout,
            Err(_) => unreachable!("{bytes} bytes at alignment {align} are more than the address space"),
        };
        // SAFETY: the layout is not empty.
        let memory = unsafe { alloc(layout) };
        let Some(start) = NonNull::new(memory.cast::<f32>()) else { handle_alloc_error(layout) };
        ask_for_huge_pages(memory, layout);
        // SAFETY: `memory` is valid for `bytes` bytes; all bits zero is the float 0.0.
        unsafe { memory.write_bytes(0, bytes) };
        Self { start, len, layout }
    }

    /// Copies `values`.
    pub(super) fn from_slice(values: &[f32]) -> Self {
        let buffer = Self::zeroed(values.len());
        // SAFETY: both are valid for that many floats and the buffer is new, so they do not overlap.
        unsafe { buffer.start.as_ptr().copy_from_nonoverlapping(values.as_ptr(), values.len()) };
        buffer
    }

    /// Floats held.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Gives the address of the `len` floats from `offset`.
    ///
    /// # Panics
    /// If the buffer ends before them.
    pub(super) fn at(&self, offset: usize, len: usize) -> *mut f32 {
        assert!(offset + len <= self.len, "floats {offset} + {len} of {}", self.len);
        // SAFETY: the offset is inside the allocation, as just checked.
        unsafe { self.start.as_ptr().add(offset) }
    }
}

/// Floats from one array of `n` floats to the next of its kind: lines whose addresses differ by a multiple of
/// 4096 bytes push each other out of the first cache, so the pitch is 15 lines past such a multiple.
pub(super) fn spread_pitch(n: usize) -> usize {
    let lines = n / 16;
    (lines + (15 + 64 - lines % 64) % 64) * 16
}

impl Drop for Buffer {
    fn drop(&mut self) {
        // SAFETY: allocated in `zeroed` with this layout.
        unsafe { dealloc(self.start.as_ptr().cast(), self.layout) };
    }
}

/// The transformed weights are read front to back by the megabyte: with pages of 4 KiB the translation
/// buffers miss more often than the caches. Only a request: its failure changes nothing but the speed.
fn ask_for_huge_pages(memory: *mut u8, layout: Layout) {
    #[cfg(all(target_os = "linux", not(miri)))]
    if layout.align() == HUGE {
        // SAFETY: the range is our own, aligned to pages and untouched so far; the advice changes no value.
        let _ = unsafe { madvise(memory.cast(), layout.size(), Advice::LinuxHugepage) };
    }
    #[cfg(not(all(target_os = "linux", not(miri))))]
    let _ = (memory, layout);
}
