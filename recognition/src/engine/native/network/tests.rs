use super::super::fixture::{Random, float, int8, model_file, usual_network};
use super::super::model::{DenseKind, Layer};
use super::*;

const CHARACTERS: [&str; 20] =
    [" ", "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p", "q", "r", "s"];
const CLASSES: usize = CHARACTERS.len() + 1;
const KERNELS: [&str; 4] = ["avx512vnni", "avx2", "neon", "portable"];

fn model(network: &Layer) -> Model {
    Model::read(&model_file(network, &CHARACTERS)).unwrap()
}

fn lines(random: &mut Random, widths: &[usize]) -> Vec<ScaledLine> {
    let line = |&width: &usize| {
        let pixels = (0..36 * width).map(|_| random.byte()).collect();
        ScaledLine { pixels, width, height: 36 }
    };
    widths.iter().map(line).collect()
}

/// Runs the lines in one batch with every kernel of this processor; all must agree with the reference to the last bit.
fn check(network: &Layer, lines: &[ScaledLine]) {
    let model = model(network);
    let plan = Plan::new(&model.network).unwrap();
    let lines: Vec<&ScaledLine> = lines.iter().collect();
    let expected = Reference::<Int8>::new(plan, model.sample_iteration).run(&lines);
    let mut kernels = 0;
    for kernel in KERNELS {
        if let Ok((_, network)) = prepare_for(&model, Some(kernel)) {
            kernels += 1;
            assert!(network.run(&lines) == expected, "{kernel}");
        }
    }
    assert!(kernels > 0);
}

#[test]
fn all_kernels_agree_with_the_reference_over_many_shapes() {
    for seed in 0..12 {
        println!("seed {seed}");
        let mut random = Random(seed);
        let units = [1 + random.below(20), 1 + random.below(40), 1 + random.below(20)];
        let network = usual_network(&mut random, int8, units, CLASSES);
        let widths: Vec<usize> = (0..=random.below(9)).map(|_| 3 + random.below(60)).collect();
        check(&network, &lines(&mut random, &widths));
    }
}

#[test]
fn all_kernels_agree_on_parallel_reversed_and_flat_layers() {
    let mut random = Random(5);
    let mut lstm = |inputs: usize, units: usize, gates: usize| Layer::Lstm {
        gates: (0..gates).map(|_| int8(&mut random, units, inputs + (gates - 3) * units)).collect(),
        summary: false,
    };
    let both_ways = Layer::Parallel(vec![lstm(4, 3, 4), Layer::ReversedX(Box::new(lstm(4, 5, 4)))]);
    let upwards = Layer::Transposed(Box::new(Layer::ReversedX(Box::new(lstm(8, 6, 4)))));
    let flat = Layer::ReversedY(Box::new(lstm(6, 4, 5)));
    let mut summary = lstm(4, 7, 4);
    if let Layer::Lstm { summary, .. } = &mut summary {
        *summary = true;
    }
    let network = |middle: Vec<Layer>, random: &mut Random| {
        let mut layers = vec![
            Layer::Input { height: 36, depth: 1 },
            Layer::Maxpool { width: 2, height: 4 },
            Layer::Convolve { half_width: 0, half_height: 2 },
            Layer::Dense { matrix: int8(random, 4, 5), kind: DenseKind::Relu },
        ];
        layers.extend(middle);
        layers.push(Layer::Dense { matrix: int8(random, CLASSES, 7), kind: DenseKind::Softmax });
        Layer::Series(layers)
    };
    let crossed = Layer::Dense { matrix: int8(&mut Random(8), 4, 6), kind: DenseKind::Logistic };
    let middle = vec![both_ways, upwards, crossed, Layer::Transposed(Box::new(summary))];
    let mut random = Random(6);
    let images = lines(&mut random, &[2, 31, 8]);
    check(&network(middle.clone(), &mut random), &images);
    let mut with_flat = middle;
    with_flat.insert(2, flat);
    let crossed = Layer::Dense { matrix: int8(&mut random, 4, 4), kind: DenseKind::Tanh };
    with_flat[3] = crossed;
    check(&network(with_flat, &mut random), &images);
}

#[test]
fn dense_layers_see_single_values() {
    let mut random = Random(13);
    let layers = vec![
        Layer::Input { height: 1, depth: 1 },
        Layer::Dense { matrix: int8(&mut random, 1, 1), kind: DenseKind::Tanh },
        Layer::Dense { matrix: int8(&mut random, CLASSES, 1), kind: DenseKind::Softmax },
    ];
    let line = ScaledLine { pixels: (0..31).map(|x| 8 * x).collect(), width: 31, height: 1 };
    check(&Layer::Series(layers), &[line]);
}

#[test]
fn a_line_does_not_depend_on_the_others() {
    let mut random = Random(9);
    let network = usual_network(&mut random, int8, [16, 8, 8], CLASSES);
    let (_, network) = prepare_for(&model(&network), None).unwrap();
    let lines = lines(&mut random, &(3..60).collect::<Vec<_>>());
    let all = network.run(&lines.iter().collect::<Vec<_>>());
    for (line, expected) in lines.iter().zip(&all).step_by(7) {
        assert_eq!(network.run(&[line]).first(), Some(expected));
        assert_eq!(expected.steps().len(), line.width / 3);
    }
}

#[test]
fn models_of_single_precision_give_probabilities() {
    let mut random = Random(10);
    let network = usual_network(&mut random, float, [6, 6, 6], CLASSES);
    let (shape, network) = prepare_for(&model(&network), None).unwrap();
    assert_eq!(shape, Shape { line_height: 36, step_width: 3, classes: CLASSES });
    for step in network.run(&lines(&mut random, &[40]).iter().collect::<Vec<_>>())[0].steps() {
        assert!((step.iter().sum::<f32>() - 1.0).abs() < 1e-4);
    }
}

#[test]
fn an_unknown_kernel_is_refused_by_name() {
    let network = usual_network(&mut Random(11), int8, [4, 4, 4], CLASSES);
    let error = prepare_for(&model(&network), Some("abacus")).unwrap_err();
    assert!(error.to_string().contains("abacus"), "{error}");
}

#[test]
fn sizes_that_do_not_fit_are_refused() {
    let mut random = Random(12);
    let Layer::Series(layers) = usual_network(&mut random, int8, [4, 5, 6], CLASSES) else { unreachable!() };
    // Without pooling (layer 2) all sizes still fit.
    for missing in (0..layers.len()).filter(|&layer| layer != 2) {
        let mut layers = layers.clone();
        layers.remove(missing);
        assert!(Plan::new(&Layer::Series(layers)).is_err(), "without layer {missing}");
    }
}
