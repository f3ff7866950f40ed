//! Damaged headers never make a reader allocate much more than the file has.
//!
//! One test alone in its program, because it counts what the whole program allocates.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    fs,
    path::Path,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

use mrl_data::{DatasetKind, OpenOptions, Split, open};

struct Counting;

static LARGEST: AtomicUsize = AtomicUsize::new(0);

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: every call is handed on to the system's allocator as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LARGEST.fetch_max(layout.size(), Relaxed);
        // SAFETY: the caller's promises are those that the system's allocator asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        LARGEST.fetch_max(layout.size(), Relaxed);
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        LARGEST.fetch_max(size, Relaxed);
        // SAFETY: as above.
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// A reader's own buffer for reading ahead, the largest of them.
const BUFFER: usize = 1 << 19;

/// Opens a file that cannot be read, and checks the largest single allocation on the way.
fn assert_modest(kind: DatasetKind, name: &str, bytes: &[u8], extra: &[(&str, &[u8])]) {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in extra.iter().chain([&(name, bytes)]) {
        fs::write(folder.path().join(name), bytes).unwrap();
    }
    let options = OpenOptions { download: false, ..OpenOptions::default() };
    LARGEST.store(0, Relaxed);
    let error = open(kind, folder.path(), Split::Test, &options, &|_| ()).unwrap_err();
    let largest = LARGEST.load(Relaxed);
    assert!(largest <= bytes.len() + BUFFER, "{largest} bytes for a file of {}: {error}", bytes.len());
}

fn idx_header(dims: [u32; 3]) -> Vec<u8> {
    let header = [[0, 0, 8, 3], dims[0].to_be_bytes(), dims[1].to_be_bytes(), dims[2].to_be_bytes()];
    [header.as_flattened(), &vec![7; 50_000]].concat()
}

#[test]
fn claims_are_not_believed() {
    // 18 GB of images; then as many as a gzip file of this size could just hold, of which only a few come.
    assert_modest(
        DatasetKind::Mnist,
        "t10k-images-idx3-ubyte",
        &idx_header([23_000_000, 28, 28]),
        MNIST_LABELS,
    );
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
    std::io::Write::write_all(&mut encoder, &idx_header([65_000, 28, 28])).unwrap();
    assert_modest(DatasetKind::Mnist, "t10k-images-idx3-ubyte", &encoder.finish().unwrap(), MNIST_LABELS);
    // A string of 4 GB, and one of 2^63 bytes.
    assert_modest(DatasetKind::Cifar10, "test_batch", b"\x80\x02T\xff\xff\xff\xffabc", &[]);
    assert_modest(DatasetKind::Cifar10, "test_batch", b"\x80\x04\x8e\0\0\0\0\0\0\0\x7fabc", &[]);
    // A real file with each of their first bytes damaged in turn.
    let golden =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../goldens/datasets/cifar-10-batches-py/test_batch");
    let whole = fs::read(golden).unwrap();
    for at in 2..200 {
        let mut bytes = whole.clone();
        bytes[at] ^= 0xff;
        bytes.truncate(6000);
        assert_modest(DatasetKind::Cifar10, "test_batch", &bytes, &[]);
    }
}

const MNIST_LABELS: &[(&str, &[u8])] = &[("t10k-labels-idx1-ubyte", &[0, 0, 8, 1, 0, 0, 0, 1, 3])];
