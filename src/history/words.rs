//! Strings as numbers: equal numbers, equal strings. What `APPEND` makes of two of them is
//! remembered, so that a state of any length is compared and copied as one number.

use hashbrown::HashTable;
use siphasher::sip::SipHasher13;

/// A string's number in [`Words`]. 0 is no string.
pub(super) type Word = u32;

#[derive(Debug, Clone, Default)]
pub(super) struct Words {
    texts: Vec<Box<str>>,
    numbers: Vec<Option<i64>>,
    by_text: HashTable<Word>,
    joined: HashTable<(Word, Word, Word)>,
    size_bytes: usize,
}

fn hash(text: &str) -> u64 {
    SipHasher13::new().hash(text.as_bytes())
}

fn hash_pair(a: Word, b: Word) -> u64 {
    super::model::mix(u64::from(a) << 32 | u64::from(b))
}

impl Words {
    pub(super) fn word(&mut self, text: &str) -> Word {
        let texts = &self.texts;
        let hashed = hash(text);
        if let Some(word) = self.by_text.find(hashed, |word| *texts[*word as usize - 1] == *text) {
            return *word;
        }
        self.texts.push(text.into());
        self.size_bytes += text.len() + 48;
        let number = text.parse::<i64>().ok().filter(|number| text.len() <= 20 && number.to_string() == text);
        self.numbers.push(number);
        let word = self.texts.len() as Word;
        let texts = &self.texts;
        self.by_text.insert_unique(hashed, word, |word| hash(&texts[*word as usize - 1]));
        word
    }

    pub(super) fn text(&self, word: Word) -> &str {
        &self.texts[word as usize - 1]
    }

    /// The string as a counter, if it is one.
    pub(super) fn number(&self, word: Word) -> Option<i64> {
        self.numbers[word as usize - 1]
    }

    pub(super) fn len(&self, word: Word) -> usize {
        self.text(word).len()
    }

    /// Memory that all of it takes, about.
    pub(super) fn size_bytes(&self) -> usize {
        self.size_bytes + self.joined.len() * 24
    }

    pub(super) fn join(&mut self, head: Word, tail: Word) -> Word {
        let hashed = hash_pair(head, tail);
        if let Some(found) = self.joined.find(hashed, |pair| (pair.0, pair.1) == (head, tail)) {
            return found.2;
        }
        let joined = self.word(&[self.text(head), self.text(tail)].concat());
        self.joined.insert_unique(hashed, (head, tail, joined), |pair| hash_pair(pair.0, pair.1));
        joined
    }
}
