//! Damaged model files and odd pictures, by the hundred in every test run and by the million with `make fuzz`: whatever
//! is in them, the engine refuses or reads, and never panics.

use std::time::{Duration, Instant};

use super::fixture::{Random, container, float, int8, model_file, usual_network};
use super::{GreyLine, NativeEngine};

/// How long to go on, in seconds; without it, [`RUNS`] runs.
const SECONDS_VARIABLE: &str = "PAGEMILL_FUZZ_SECONDS";
/// The first seed, to go on where another run ended.
const SEED_VARIABLE: &str = "PAGEMILL_FUZZ_SEED";
const RUNS: u64 = 300;
/// Most changes to one file.
const CHANGES_MAX: usize = 4;

const CHARACTERS: [&str; 8] = [" ", "a", "b", "7", ".", "đ", "(", ")"];

/// A model file of a network whose sizes follow from the seed.
fn file(random: &mut Random) -> Vec<u8> {
    let units = [1 + random.below(20), 1 + random.below(20), 1 + random.below(20)];
    let matrix = if random.below(4) == 0 { float } else { int8 };
    let network = usual_network(random, matrix, units, CHARACTERS.len() + 1);
    let mut file = model_file(&network, &CHARACTERS);
    if random.below(3) == 0 {
        // A dictionary of nonsense after the model's own components.
        let bytes = (0..random.below(200)).map(|_| random.byte()).collect();
        let mut dictionary = [42_i16.to_le_bytes().to_vec(), 8_u32.to_le_bytes().to_vec(), bytes].concat();
        dictionary.resize(6 + 4 + 8 * 20, 0);
        let damaged = container(&[(19, dictionary)]);
        let at = random.below(file.len());
        file.splice(at..at, damaged.into_iter().take(64));
    }
    file
}

fn damage(random: &mut Random, file: &mut Vec<u8>) {
    for _ in 0..random.below(CHANGES_MAX + 1) {
        if file.is_empty() {
            return;
        }
        let at = random.below(file.len());
        match random.below(6) {
            0 => file[at] ^= 1 << random.below(8),
            1 => file[at] = random.byte(),
            2 => file.truncate(at),
            3 => file.insert(at, random.byte()),
            4 => {
                // A count or an offset becomes one of the numbers that break arithmetic.
                let number = [0, 1, -1, i32::MAX, i32::MIN, 0x7fff, 0x1_0000][random.below(7)];
                for (byte, value) in file[at..].iter_mut().zip(number.to_le_bytes()) {
                    *byte = value;
                }
            }
            _ => {
                let from = random.below(file.len());
                let length = random.below(64).min(file.len() - at.max(from));
                file.copy_within(from..from + length, at);
            }
        }
    }
}

fn read_odd_pictures(random: &mut Random, engine: &NativeEngine) {
    let side = |random: &mut Random| {
        let limit = [3, 40, 300][random.below(3)];
        1 + random.below(limit)
    };
    let pictures: Vec<(usize, usize, Vec<u8>)> = (0..random.below(4))
        .map(|_| {
            let (width, height) = (side(random), side(random));
            let noise = random.below(2) == 0;
            let pixels = (0..width * height).map(|_| if noise { random.byte() } else { 230 }).collect();
            (width, height, pixels)
        })
        .collect();
    let lines: Vec<GreyLine<'_>> = pictures
        .iter()
        .filter_map(|(width, height, pixels)| GreyLine::new(pixels, *width, *height, *width).ok())
        .collect();
    if let Ok(readings) = engine.read(&lines) {
        assert_eq!(readings.len(), lines.len());
        for (reading, line) in readings.iter().zip(&lines) {
            for word in &reading.words {
                let (left, right) = word.extent();
                assert!(left <= right && right as usize <= line.width(), "{word:?}");
            }
        }
    }
}

#[test]
fn damaged_models_and_odd_pictures_are_read_or_refused() {
    let number = |name: &str| std::env::var(name).ok().and_then(|value| value.parse::<u64>().ok());
    let first = number(SEED_VARIABLE).unwrap_or(0);
    let until = number(SECONDS_VARIABLE).map(|seconds| Instant::now() + Duration::from_secs(seconds));
    let (mut runs, mut accepted) = (0, 0);
    while until.map_or(runs < RUNS, |until| Instant::now() < until) {
        let seed = first + runs;
        runs += 1;
        // A panic's message comes after the seed that led to it.
        let running = Seed(seed);
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let mut file = file(&mut random);
        damage(&mut random, &mut file);
        if let Ok(engine) = NativeEngine::new(&file, &["ab".to_owned()]) {
            accepted += 1;
            read_odd_pictures(&mut random, &engine);
        }
        std::mem::forget(running);
    }
    println!("{runs} runs from seed {first}, {accepted} models accepted");
    assert!(accepted > 0 && accepted < runs);
}

/// Names its seed when a panic drops it.
struct Seed(u64);

impl Drop for Seed {
    fn drop(&mut self) {
        println!("seed {}", self.0);
    }
}
