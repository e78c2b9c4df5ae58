use super::*;
use crate::engine::native::fixture::{Random, container, float, int8, model_file, usual_network};

const CHARACTERS: [&str; 5] = [" ", "a", "b", "7", "đ"];

fn small_model() -> Vec<u8> {
    let network = usual_network(&mut Random(1), int8, [8, 5, 7], CHARACTERS.len() + 1);
    model_file(&network, &CHARACTERS)
}

#[test]
fn what_was_written_is_read_again() {
    for matrix in [int8, float] {
        let network = usual_network(&mut Random(2), matrix, [8, 5, 7], CHARACTERS.len() + 1);
        let model = Model::read(&model_file(&network, &CHARACTERS)).unwrap();
        assert_eq!(model.network, network);
        assert_eq!((model.null_code, model.sample_iteration), (5, 2_528_724));
        assert_eq!((0..5).map(|id| model.unicharset.text(id)).collect::<Vec<_>>(), CHARACTERS);
        assert!(model.unicharset.is_digit(3) && !model.unicharset.is_digit(4));
        assert_eq!(model.recoder.step(Prefix::EMPTY, 4).character, Some(4));
        assert_eq!(model.recoder.step(Prefix::EMPTY, 5), recoder::Step::default());
    }
}

/// Every cut and ten thousand damaged files: an error or a model, never a panic.
#[test]
fn damaged_files_are_refused_or_read() {
    let file = small_model();
    for length in 0..file.len() {
        assert!(Model::read(&file[..length]).is_err() || length > file.len() - 40, "{length}");
    }
    let mut random = Random(3);
    for _ in 0..10_000 {
        let mut damaged = file.clone();
        for _ in 0..=random.below(4) {
            let at = random.below(damaged.len());
            damaged[at] = if random.below(2) == 0 { random.byte() } else { 0xff };
        }
        let _ = Model::read(&damaged);
    }
}

#[test]
fn what_the_engine_does_not_know_is_named() {
    let file = small_model();
    let at = file.windows(7).position(|bytes| bytes == b"Maxpool").unwrap();
    let mut renamed = file.clone();
    renamed[at..at + 7].copy_from_slice(b"Minpool");
    let error = Model::read(&renamed).unwrap_err();
    assert_eq!(error, ModelError::Unsupported("a layer of type \"Minpool\"".into()));
    assert_eq!(Model::read(&container(&[])).unwrap_err(), ModelError::Missing("network"));
    let too_many = ModelError::TooMany { what: "components", found: 0xffff_ffff, max: 1000 };
    assert_eq!(Model::read(&[0xff; 64]).unwrap_err(), too_many);
}

#[test]
fn layers_cannot_nest_without_end() {
    let nested = (0..40).fold(Layer::Series(Vec::new()), |layer, _| Layer::Series(vec![layer]));
    let error = Model::read(&model_file(&nested, &CHARACTERS)).unwrap_err();
    assert!(matches!(error, ModelError::TooMany { what: "nested layers", .. }), "{error}");
}

#[test]
fn characters_of_several_codes_are_found_by_their_prefixes() {
    // Three characters: [0], [1, 2], [1, 2, 3]; the null is 9.
    let mut component = 3_u32.to_le_bytes().to_vec();
    for codes in [&[0_u32][..], &[1, 2], &[1, 2, 3]] {
        component.push(1);
        component.extend((codes.len() as u32).to_le_bytes());
        component.extend(codes.iter().flat_map(|code| code.to_le_bytes()));
    }
    let recoder = Recoder::read(&component, 3, 9).unwrap();
    let first = recoder.step(Prefix::EMPTY, 1);
    assert_eq!(first.character, None);
    let second = recoder.step(first.longer.unwrap(), 2);
    assert_eq!(second.character, Some(1));
    let third = recoder.step(second.longer.unwrap(), 3);
    assert_eq!((third.character, third.longer), (Some(2), None));
    assert_eq!(recoder.step(Prefix::EMPTY, 2), recoder::Step::default());
}

#[test]
fn words_are_found_in_the_graph_made_of_them() {
    let words = [vec![3, 1, 4], vec![3, 1], vec![3, 1, 4, 1], vec![5]];
    let dawg = Dawg::from_words(&words).unwrap();
    let find = |word: &[u32]| {
        let mut node = Some(0);
        let mut edge = None;
        for &character in word {
            edge = Some(dawg.edge(node?, character)?);
            node = dawg.node_after(edge?);
        }
        edge.map(|edge| dawg.ends_word(edge))
    };
    for word in &words {
        assert_eq!(find(word), Some(true), "{word:?}");
    }
    assert_eq!(find(&[3]), Some(false));
    assert_eq!(find(&[3, 4]), None);
    assert_eq!(find(&[5, 1]), None);
}
