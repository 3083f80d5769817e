//! The network beside its definition, on all kernels that this machine has.

use super::super::unsupported::Unsupported;
use super::super::{Kernels, available};
use super::reference::{Net, numbers};
use super::{PackedResNet, Shape};

/// Each kind of block at least once.
const SMALL: Shape = Shape { blocks: [2, 1, 2, 2], width: 32 };

impl Net {
    fn packed(&self, kernels: &'static Kernels) -> PackedResNet {
        self.try_packed(kernels).unwrap()
    }

    fn try_packed(&self, kernels: &'static Kernels) -> Result<PackedResNet, Unsupported> {
        PackedResNet::new(kernels, &self.shape, self.stem(), &self.blocks(), 2)
    }
}

/// |a - b| / |b|.
fn relative(a: &[f32], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    let square = |x: f64| x * x;
    let difference: f64 = a.iter().zip(b).map(|(&a, &b)| square(f64::from(a) - b)).sum();
    (difference / b.iter().copied().map(square).sum::<f64>()).sqrt()
}

/// The relative L2 error that features may have.
const TOLERANCE: f64 = 2e-6;

/// Checks one picture on all kernels.
fn check(net: &Net, side: usize) {
    let xs = numbers(side as u64, 3 * side * side, 1.0);
    let means = net.by_definition(&xs, side);
    for kernels in available() {
        let packed = net.packed(kernels);
        for n_threads in [1, 2] {
            let error = relative(&packed.forward_means(&xs, 1, side, n_threads).unwrap(), &means);
            assert!(error <= TOLERANCE, "{} at {side}, {n_threads} threads: {error:e}", kernels.name);
        }
    }
}

#[test]
fn a_small_network_is_what_its_definition_says_for_every_side() {
    for side in [32, 64, 96, 128, 160, 224, 320] {
        check(&Net::new(SMALL, 2), side);
    }
}

#[test]
fn resnet_50_is_what_its_definition_says() {
    let net = Net::new(Shape::RESNET_50, 1);
    for side in [32, 64, 96, 224] {
        check(&net, side);
    }
}

/// Bits of a batch on several numbers of threads, and of each picture alone.
fn check_bits(net: &Net, side: usize, batch: usize) {
    let xs = numbers(6, batch * 3 * side * side, 1.0);
    for kernels in available() {
        let packed = net.packed(kernels);
        let means = packed.forward_means(&xs, batch, side, 1).unwrap();
        for n_threads in [2, 3, 5] {
            let again = packed.forward_means(&xs, batch, side, n_threads).unwrap();
            assert!(again == means, "{}: {n_threads} threads, {batch} at {side}", kernels.name);
        }
        for (picture, xs) in xs.chunks(3 * side * side).enumerate() {
            let n = means.len() / batch;
            let alone = packed.forward_means(xs, 1, side, 2).unwrap();
            assert!(alone == means[picture * n..][..n], "{}: {picture} of {batch} at {side}", kernels.name);
        }
    }
}

#[test]
fn bits_do_not_depend_on_threads_or_neighbours() {
    let net = Net::new(SMALL, 3);
    for (side, batch) in [(32, 9), (64, 2), (96, 3), (224, 1)] {
        check_bits(&net, side, batch);
    }
    check_bits(&Net::new(Shape::RESNET_50, 4), 64, 3);
}

/// Small enough for `make miri`, which looks at every access to memory.
#[test]
fn two_threads_and_three_pictures_touch_only_their_own_memory() {
    let net = Net::new(Shape { blocks: [1, 1, 1, 1], width: 32 }, 3);
    let xs = numbers(16, 3 * 3 * 32 * 32, 1.0);
    for kernels in available() {
        let means = net.packed(kernels).forward_means(&xs, 3, 32, 2).unwrap();
        let n = means.len() / 3;
        assert!(means[..n] != means[n..2 * n] && means[n..2 * n] != means[2 * n..], "{}", kernels.name);
        assert!(means.iter().all(|y| y.is_finite()), "{}", kernels.name);
    }
}

#[test]
fn what_an_earlier_call_left_behind_does_not_show() {
    let net = Net::new(SMALL, 5);
    for kernels in available() {
        let packed = net.packed(kernels);
        for (side, batch, n_threads) in [(64, 3, 2), (32, 9, 1), (32, 2, 1), (96, 1, 3), (64, 1, 2)] {
            let xs = numbers(14, batch * 3 * side * side, 1.0);
            let fresh = net.packed(kernels).forward_means(&xs, batch, side, n_threads).unwrap();
            let again = packed.forward_means(&xs, batch, side, n_threads).unwrap();
            assert!(again == fresh, "{}: {batch} at {side}", kernels.name);
        }
    }
}

#[test]
fn what_is_not_a_number_reaches_every_channel_and_no_other_picture() {
    const SIDE: usize = 64;
    let net = Net::new(SMALL, 7);
    let (xs, len) = (numbers(10, 3 * 3 * SIDE * SIDE, 1.0), 3 * SIDE * SIDE);
    for kernels in available() {
        let packed = net.packed(kernels);
        let clean = packed.forward_means(&xs, 3, SIDE, 2).unwrap();
        let n = clean.len() / 3;
        for bad in [f32::NAN, -f32::NAN, f32::from_bits(0x7fff_ffff)] {
            for at in [0, SIDE - 1, 5 * SIDE + 7, SIDE * SIDE - 1, len - 1] {
                let mut spoilt = xs.clone();
                spoilt[len + at] = bad;
                let got = packed.forward_means(&spoilt, 3, SIDE, 2).unwrap();
                assert!(got[n..2 * n].iter().all(|y| y.is_nan()), "{}: {at} is hidden", kernels.name);
                assert!(got[..n] == clean[..n] && got[2 * n..] == clean[2 * n..]);
            }
        }
        assert!(packed.forward_means(&xs, 3, SIDE, 2).unwrap() == clean, "{}: something stays", kernels.name);
    }
}

#[test]
fn what_is_not_supported_is_refused() {
    let refused = |net: &Net, expected: &str| {
        let message = net.try_packed(available()[0]).unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
    };
    refused(&Net::new(Shape { width: 48, ..SMALL }, 1), "48 channels");
    refused(&Net::new(Shape { blocks: [1, 0, 1, 1], width: 32 }, 1), "at least one in each stage");
    let net = || Net::new(SMALL, 1);
    let mut spoilt = net();
    spoilt.blocks[1].conv.0.pop();
    refused(&spoilt, "block 1, 3x3: 9215 weights");
    let mut spoilt = net();
    spoilt.blocks[2].shortcut = None;
    refused(&spoilt, "block 2: the first block of a stage");
    let mut spoilt = net();
    spoilt.blocks.pop();
    refused(&spoilt, "weights of 6 blocks, expected 7");
    let packed = net().packed(available()[0]);
    for (len, batch, side) in [(3 * 48 * 48, 1, 48), (3 * 32 * 32, 2, 32), (0, 1, 0)] {
        assert!(packed.forward_means(&vec![0.0; len], batch, side, 1).is_err(), "{len} {batch} {side}");
    }
    assert_eq!(packed.forward_means(&[], 0, 32, 2), Ok(Vec::new()));
}
