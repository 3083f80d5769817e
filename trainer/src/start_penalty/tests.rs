use super::*;

fn dense(first: f32) -> Dense {
    Dense { n_out: 3, n_in: 2, weight: (0..6).map(|i| first + i as f32).collect(), bias: vec![first; 3] }
}

fn tensors(layer: &Dense) -> (Tensor, Tensor) {
    let weight = Tensor::from_slice(&layer.weight, (3, 2), &Device::Cpu).unwrap();
    (weight, Tensor::from_slice(&layer.bias, 3, &Device::Cpu).unwrap())
}

fn values(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

#[test]
fn the_distance_shrinks_by_the_factor_but_for_free_rows_on_both_paths() {
    let (start, now) = (dense(1.0), dense(9.0));
    let penalty = StartPenalty::new(&[start], 0.25, |_, row| row == 1, &Device::Cpu).unwrap();
    let (weight, bias) = tensors(&now);
    let (new_weight, new_bias) = penalty.pulled(0, &weight, &bias).unwrap();
    penalty.pull_in_place(0, &weight, &bias).unwrap();
    // The distance is 8 everywhere, and 2 afterwards.
    let expected = ([3.0, 4.0, 11.0, 12.0, 7.0, 8.0], [3.0, 9.0, 3.0]);
    assert_eq!((values(&weight), values(&bias)), (expected.0.to_vec(), expected.1.to_vec()));
    assert_eq!((values(&new_weight), values(&new_bias)), (expected.0.to_vec(), expected.1.to_vec()));
}
