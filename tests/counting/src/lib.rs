//! An allocator that counts, for tests and benchmarks: the system's, with a number beside it.
//!
//! ```
//! #[global_allocator]
//! static ALLOCATOR: hedge_counting::Counting = hedge_counting::Counting;
//!
//! let before = hedge_counting::allocations();
//! let boxed = Box::new(7);
//! assert_eq!(hedge_counting::allocations() - before, 1);
//! drop(boxed);
//! ```

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
};

thread_local! {
    // Made without allocating, and nothing to do at its end: it can be used from within the allocator.
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

/// How often this thread has asked for memory: new or larger pieces. Zero unless [`Counting`] is the program's
/// allocator. Other threads, a test harness's among them, count for themselves.
pub fn allocations() -> u64 {
    ALLOCATIONS.get()
}

fn count() {
    ALLOCATIONS.set(ALLOCATIONS.get() + 1);
}

/// The system's allocator; every request is counted.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counting;

// SAFETY: every call is handed to the system's allocator unchanged; counting touches no memory that it manages.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller keeps the contract of `alloc`, which is the same here and there.
        unsafe { System.alloc(layout) }
    }
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: as above, of `alloc_zeroed`.
        unsafe { System.alloc_zeroed(layout) }
    }
    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        count();
        // SAFETY: as above, of `realloc`.
        unsafe { System.realloc(memory, layout, new_size) }
    }
    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: as above, of `dealloc`; all memory comes from the system's allocator.
        unsafe { System.dealloc(memory, layout) }
    }
}
