use super::super::fixture::{Random, int8, model_file, usual_network};
use super::super::model::Model;
use super::super::network::Probabilities;
use super::*;

const CHARACTERS: [&str; 6] = [" ", "a", "b", "c", "7", "."];
const NULL: usize = CHARACTERS.len();

fn model() -> Model {
    let network = usual_network(&mut Random(1), int8, [4, 4, 4], NULL + 1);
    Model::read(&model_file(&network, &CHARACTERS)).unwrap()
}

/// Probabilities in which each step's codes have the given shares; the rest is spread evenly.
fn probabilities(steps: &[&[(usize, f32)]]) -> Probabilities {
    let classes = NULL + 1;
    let mut values = Vec::new();
    for step in steps {
        let named: f32 = step.iter().map(|(_, share)| share).sum();
        let mut row = vec![(1.0 - named) / classes as f32; classes];
        for &(code, share) in *step {
            row[code] += share;
        }
        values.extend(row);
    }
    Probabilities { classes, values }
}

fn read(user_words: &[&str], steps: &[&[(usize, f32)]]) -> (Vec<String>, Vec<Word>) {
    let mut model = model();
    let user_words: Vec<String> = user_words.iter().map(|&word| word.to_owned()).collect();
    let dictionary = Dictionary::new(&mut model, &user_words).unwrap();
    let search = BeamSearch {
        unicharset: &model.unicharset,
        recoder: &model.recoder,
        dictionary: dictionary.as_ref(),
        null_code: model.null_code,
    };
    let words = words(&search.best_path(&probabilities(steps)), &model.unicharset);
    let text = |word: &Word| word.characters.iter().map(|c| model.unicharset.text(c.id)).collect();
    (words.iter().map(text).collect(), words)
}

#[test]
fn repeats_are_one_character_and_a_null_between_makes_two() {
    let (texts, words) = read(&[], &[&[(1, 0.9)], &[(1, 0.9)], &[(NULL, 0.9)], &[(1, 0.9)], &[(2, 0.9)]]);
    assert_eq!(texts, ["aab"]);
    let places: Vec<_> = words[0].characters.iter().map(|c| (c.start, c.end)).collect();
    assert_eq!(places, [(0, 2), (2, 4), (4, 5)]);
}

#[test]
fn spaces_part_words_and_confidence_is_that_of_the_weakest_step() {
    let sure: &[(usize, f32)] = &[(1, 0.999)];
    let (texts, words) = read(&[], &[sure, &[(0, 0.999)], &[(2, 0.6), (3, 0.3)], &[(NULL, 0.99)], sure]);
    assert_eq!(texts, ["a", "ba"]);
    assert!(words[0].confidence.percent() > 90, "{:?}", words[0]);
    assert!(words[1].confidence.percent() < 70, "{:?}", words[1]);
    assert!(!words[0].after_space && words[1].after_space);
}

#[test]
fn a_word_of_the_dictionary_beats_a_slightly_likelier_one() {
    let steps: &[&[(usize, f32)]] = &[&[(1, 0.95)], &[(2, 0.5), (3, 0.45)], &[(1, 0.95)]];
    assert_eq!(read(&[], steps).0, ["aba"]);
    let (texts, words) = read(&["aca"], steps);
    assert_eq!(texts, ["aca"]);
    assert!(words[0].in_dictionary);
}

#[test]
fn unsure_characters_have_alternatives() {
    let model = model();
    let probabilities = probabilities(&[&[(2, 0.6), (3, 0.3)], &[(1, 0.999)]]);
    let search = BeamSearch {
        unicharset: &model.unicharset,
        recoder: &model.recoder,
        dictionary: None,
        null_code: model.null_code,
    };
    let words = words(&search.best_path(&probabilities), &model.unicharset);
    let others = |index: usize| alternatives(&words[0].characters[index], &probabilities, &model.recoder);
    assert_eq!(others(0).first().map(|other| other.id), Some(3));
    assert!(others(1).is_empty());
}

#[test]
fn any_probabilities_are_decoded_without_a_panic() {
    let mut random = Random(7);
    for _ in 0..200 {
        let steps = random.below(40);
        let values = (0..steps * (NULL + 1)).map(|_| random.below(1000) as f32 / 999.0).collect();
        let model = model();
        let search = BeamSearch {
            unicharset: &model.unicharset,
            recoder: &model.recoder,
            dictionary: None,
            null_code: model.null_code,
        };
        let path = search.best_path(&Probabilities { classes: NULL + 1, values });
        assert_eq!(path.len(), steps);
        words(&path, &model.unicharset);
    }
}
