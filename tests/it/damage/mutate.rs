//! Damage to bytes, by a seed and a number.

use rand::Rng as _;
use rand::seq::IndexedRandom as _;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng as _;

/// What happened to the bytes, for a person who reads the failure.
pub struct Damage {
    pub bytes: Vec<u8>,
    pub told: String,
}

/// Integers at which lengths, counts and offsets go wrong.
const EDGES: [u64; 12] = [
    0,
    1,
    0x7f,
    0x80,
    0xff,
    0x7fff,
    0xffff,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    0x7fff_ffff_ffff_ffff,
    0xffff_ffff_ffff_ffff,
];

/// Words that mean something in some of the formats.
const WORDS: [&str; 16] = [
    "null",
    "NaN",
    "{",
    "}",
    "[",
    "]",
    "\"",
    "\n",
    ",",
    "-1",
    "9223372036854775808",
    "1e309",
    "\u{feff}",
    "\0",
    "true",
    "permit (principal, action, resource);",
];

pub fn random(seed: u64, number: u64) -> ChaCha8Rng {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    random.set_stream(number);
    random
}

/// One to three changes, of which each is equally likely to be small or to move whole pieces.
pub fn damaged(bytes: &[u8], random: &mut ChaCha8Rng) -> Damage {
    let mut damage = Damage { bytes: bytes.to_vec(), told: String::new() };
    for _ in 0..random.random_range(1..=3) {
        change(&mut damage, random);
    }
    damage
}

/// One bit, somewhere between `from` and `to`.
pub fn flipped(bytes: &[u8], from: usize, to: usize, random: &mut ChaCha8Rng) -> Damage {
    let (at, bit) = (random.random_range(from..to), random.random_range(0..8));
    let mut bytes = bytes.to_vec();
    bytes[at] ^= 1 << bit;
    Damage { bytes, told: format!("bit {bit} of byte {at} is flipped") }
}

fn change(damage: &mut Damage, random: &mut ChaCha8Rng) {
    let bytes = &mut damage.bytes;
    let length = bytes.len();
    if length < 16 {
        bytes.extend([0; 16]);
        damage.told += "sixteen zeros are added; ";
        return;
    }
    let at = random.random_range(0..length);
    let piece = random.random_range(1..=(length - at).min(64));
    let told = match random.random_range(0..9) {
        0 => {
            bytes[at] ^= 1 << random.random_range(0..8);
            format!("a bit of byte {at} is flipped")
        }
        1 => {
            bytes[at] = random.random();
            format!("byte {at} is another")
        }
        2 => {
            bytes.truncate(at);
            format!("it is cut off at {at}")
        }
        3 => {
            bytes.drain(at..at + piece);
            format!("{piece} bytes at {at} are gone")
        }
        4 => {
            let from = random.random_range(0..=length - piece);
            let copied = bytes[from..from + piece].to_vec();
            bytes.splice(at..at, copied);
            format!("{piece} bytes at {from} stand at {at} too")
        }
        5 => {
            bytes[at..at + piece].fill(0);
            format!("{piece} bytes at {at} are zero")
        }
        6 => {
            let edge = EDGES.choose(random).unwrap();
            let width = *[1_usize, 2, 4, 8].choose(random).unwrap();
            let width = width.min(length - at);
            bytes[at..at + width].copy_from_slice(&edge.to_le_bytes()[..width]);
            format!("{width} bytes at {at} are {edge:#x}")
        }
        7 => {
            // As Thrift and many others write numbers: seven bits a byte.
            let mut edge = *EDGES.choose(random).unwrap();
            let mut written = Vec::new();
            while edge >= 0x80 {
                written.push(u8::try_from(edge & 0x7f).unwrap() | 0x80);
                edge >>= 7;
            }
            written.push(u8::try_from(edge).unwrap());
            let end = (at + written.len()).min(length);
            bytes.splice(at..end, written);
            format!("a long number stands at {at}")
        }
        _ => {
            let word = WORDS.choose(random).unwrap();
            bytes.splice(at..at, word.bytes());
            format!("{word:?} stands at {at}")
        }
    };
    damage.told += &told;
    damage.told += "; ";
}
