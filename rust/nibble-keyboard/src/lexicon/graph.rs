//! The word map as a graph to walk: checked once, then followed without a panic.
//!
//! `fst` trusts its input: an address outside the file panics. So [`WordGraph::new`] visits every
//! node that can be reached, by the same layout rules (version 3 of the format, as `fst` 0.4
//! documents it in its source), and refuses a map in which any of them is not what it should be.

use fst::raw::Fst;

use nibble::SharedBytes;

use super::error::LexiconError;

/// A checked `fst` map from folded words to packed values.
pub(super) struct WordGraph {
    fst: Fst<SharedBytes>,
}

/// A place in the graph: a node, and what the way to it adds up to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    address: usize,
    /// The smallest value of all words that begin with the letters on the way here.
    pub(crate) least: u64,
}

impl WordGraph {
    /// Takes the map at byte `offset` of its file.
    pub(super) fn new(map: SharedBytes, offset: usize) -> Result<WordGraph, LexiconError> {
        let malformed = |what, at: usize| LexiconError::Malformed {
            what,
            offset: (offset + at) as u64,
        };
        check(map.as_ref()).map_err(|fault| malformed(fault.what, fault.at))?;
        let fst = Fst::new(map).map_err(|_| malformed("not an fst", 0))?;
        Ok(WordGraph { fst })
    }

    /// Number of words.
    pub(super) fn len(&self) -> usize {
        self.fst.len()
    }

    /// The place before the first letter.
    pub(super) fn root(&self) -> Place {
        Place {
            address: self.fst.root().addr(),
            least: 0,
        }
    }

    /// The place one byte further.
    pub(super) fn step(&self, place: Place, byte: u8) -> Option<Place> {
        let node = self.fst.node(place.address);
        let transition = node.transition(node.find_input(byte)?);
        Some(Place {
            address: transition.addr,
            least: place.least.saturating_add(transition.out.value()),
        })
    }

    /// The place one letter further.
    pub(super) fn step_letter(&self, place: Place, letter: char) -> Option<Place> {
        let mut buffer = [0; 4];
        letter
            .encode_utf8(&mut buffer)
            .bytes()
            .try_fold(place, |place, byte| self.step(place, byte))
    }

    /// The value of the word that ends here, if one does.
    pub(super) fn value(&self, place: Place) -> Option<u64> {
        let node = self.fst.node(place.address);
        node.is_final()
            .then(|| place.least.saturating_add(node.final_output().value()))
    }

    /// The value of `folded`.
    pub(super) fn get(&self, folded: &str) -> Option<u64> {
        let end = folded
            .bytes()
            .try_fold(self.root(), |place, byte| self.step(place, byte))?;
        self.value(end)
    }

    /// Calls `visit` with every byte that can follow, and the place it leads to.
    pub(super) fn for_each_byte(&self, place: Place, mut visit: impl FnMut(u8, Place)) {
        let node = self.fst.node(place.address);
        for transition in node.transitions() {
            let least = place.least.saturating_add(transition.out.value());
            visit(
                transition.inp,
                Place {
                    address: transition.addr,
                    least,
                },
            );
        }
    }

    /// Calls `visit` with every letter that can follow, and the place it leads to.
    pub(super) fn for_each_letter(&self, place: Place, visit: &mut impl FnMut(char, Place)) {
        self.for_each_byte(place, |byte, next| {
            let (length, bits) = match byte {
                0x00..0x80 => return visit(char::from(byte), next),
                0xC0..0xE0 => (1, byte & 0x1F),
                0xE0..0xF0 => (2, byte & 0x0F),
                0xF0..0xF8 => (3, byte & 0x07),
                _ => return,
            };
            self.finish_letter(next, length, u32::from(bits), visit);
        });
    }

    fn finish_letter(
        &self,
        place: Place,
        remaining: u8,
        bits: u32,
        visit: &mut impl FnMut(char, Place),
    ) {
        self.for_each_byte(place, |byte, next| {
            if byte & 0xC0 != 0x80 {
                return;
            }
            let bits = bits << 6 | u32::from(byte & 0x3F);
            if remaining > 1 {
                self.finish_letter(next, remaining - 1, bits, visit);
            } else if let Some(letter) = char::from_u32(bits) {
                visit(letter, next);
            }
        });
    }
}

/// What is wrong with a map, and at which byte of it.
struct Fault {
    what: &'static str,
    at: usize,
}

const FST_VERSION: u64 = 3;
/// Version and type precede the nodes.
const NODES_FROM: usize = 16;
/// Number of words, root address and checksum follow them.
const FOOTER_LEN: usize = 20;
/// The final node without output is not stored: its address is 0.
const EMPTY_NODE: usize = 0;
/// A node with more transitions than this has an index of 256 bytes.
const INDEXED_ABOVE: usize = 32;

/// Nodes that a walk over all words may pass, those that several words share counted for each: some ten million words.
/// A small map can stand for more words than anybody can read.
const MAX_STEPS: u64 = 1 << 26;

/// Follows every transition of every node that the root reaches, and counts the words.
fn check(map: &[u8]) -> Result<(), Fault> {
    let footer = map
        .len()
        .checked_sub(FOOTER_LEN)
        .filter(|&at| at >= NODES_FROM)
        .ok_or(Fault {
            what: "the word map is too short",
            at: 0,
        })?;
    let number = |at: usize| {
        let bytes = map.get(at..at.checked_add(8)?)?;
        Some(u64::from_le_bytes(bytes.try_into().ok()?))
    };
    if number(0) != Some(FST_VERSION) {
        return Err(Fault {
            what: "the word map has another version",
            at: 0,
        });
    }
    let root = number(footer + 8)
        .and_then(|root| usize::try_from(root).ok())
        .filter(|&root| root == EMPTY_NODE || root + 1 == footer)
        .ok_or(Fault {
            what: "the root is not the last node",
            at: footer + 8,
        })?;

    let nodes = map.get(..footer).unwrap_or_default();
    let malformed = |address| Fault {
        what: "a node of the word map is malformed",
        at: address,
    };
    let mut reached = Addresses::below(nodes.len());
    let mut waiting = vec![root];
    while let Some(address) = waiting.pop() {
        if reached.insert(address) {
            check_node(nodes, address, &mut waiting).ok_or(malformed(address))?;
        }
    }

    // A node lies behind those that it leads to.
    reached.rank();
    let mut sizes: Vec<Size> = Vec::new();
    for address in reached.iter() {
        let is_final = check_node(nodes, address, &mut waiting).ok_or(malformed(address))?;
        let mut size = Size {
            words: u64::from(is_final),
            steps: 1,
        };
        for target in waiting.drain(..) {
            let below = reached.rank_of(target).and_then(|rank| sizes.get(rank));
            let below = below.ok_or(malformed(address))?;
            size.words += below.words;
            size.steps += below.steps;
        }
        if size.steps > MAX_STEPS {
            return Err(Fault {
                what: "the word map stands for too many words",
                at: address,
            });
        }
        sizes.push(size);
    }
    if sizes.last().map(|size| size.words) != number(footer) {
        return Err(Fault {
            what: "the word map has another number of words than it says",
            at: footer,
        });
    }
    Ok(())
}

/// A set of addresses: one bit for each, and how many are set before every 64 of them.
struct Addresses {
    bits: Vec<u64>,
    before: Vec<usize>,
}

impl Addresses {
    fn below(end: usize) -> Addresses {
        Addresses {
            bits: vec![0; end / 64 + 1],
            before: Vec::new(),
        }
    }

    /// Whether `address` is new.
    fn insert(&mut self, address: usize) -> bool {
        let bit = 1u64 << (address % 64);
        match self.bits.get_mut(address / 64) {
            Some(bits) if *bits & bit == 0 => {
                *bits |= bit;
                true
            }
            _ => false,
        }
    }

    /// Counts the addresses for [`Addresses::rank_of`].
    fn rank(&mut self) {
        let mut sum = 0;
        self.before = Vec::with_capacity(self.bits.len());
        for bits in &self.bits {
            self.before.push(sum);
            sum += bits.count_ones() as usize;
        }
    }

    /// How many addresses are lower than this one.
    fn rank_of(&self, address: usize) -> Option<usize> {
        let bits = self.bits.get(address / 64)? & ((1u64 << (address % 64)) - 1);
        Some(self.before.get(address / 64)? + bits.count_ones() as usize)
    }

    /// In ascending order.
    fn iter(&self) -> impl Iterator<Item = usize> {
        (0..).zip(&self.bits).flat_map(|(block, &bits)| {
            let mut left = bits;
            std::iter::from_fn(move || {
                let bit = left.trailing_zeros();
                left &= left.checked_sub(1)?;
                Some(block * 64 + bit as usize)
            })
        })
    }
}

/// What a walk over the words from a node on meets.
struct Size {
    words: u64,
    steps: u64,
}

/// Checks the node that ends at `address`, appends the targets of its transitions to `targets`, and says whether a
/// word ends there. `None` where a part of it lies outside `nodes`, or a size or target is impossible.
///
/// A node is read from its last byte (its address) towards its first.
fn check_node(nodes: &[u8], address: usize, targets: &mut Vec<usize>) -> Option<bool> {
    if address == EMPTY_NODE {
        return Some(true);
    }
    let state = *nodes.get(address)?;
    let low_bits = state & 0b0011_1111;
    let explicit = usize::from(low_bits == 0);
    match state >> 6 {
        0b11 => {
            // One transition to the node before, perhaps preceded by its input.
            let target = address.checked_sub(explicit)?.checked_sub(1)?;
            targets.push(in_range(target, address)?);
            Some(false)
        }
        0b10 => {
            let sizes_at = address.checked_sub(explicit)?.checked_sub(1)?;
            let (target_size, output_size) = pack_sizes(*nodes.get(sizes_at)?)?;
            let targets_at = sizes_at.checked_sub(target_size)?;
            let start = targets_at.checked_sub(output_size)?;
            targets.push(target(nodes, targets_at, target_size, start)?);
            Some(false)
        }
        is_final => {
            let count = match low_bits {
                0 => match *nodes.get(address.checked_sub(1)?)? {
                    1 => 256,
                    count => usize::from(count),
                },
                count => usize::from(count),
            };
            let sizes_at = address.checked_sub(explicit)?.checked_sub(1)?;
            let (target_size, output_size) = pack_sizes(*nodes.get(sizes_at)?)?;
            let index_len = if count > INDEXED_ABOVE { 256 } else { 0 };
            let inputs_at = sizes_at.checked_sub(index_len)?.checked_sub(count)?;
            let targets_at = inputs_at.checked_sub(count.checked_mul(target_size)?)?;
            let outputs = count
                .checked_add(usize::from(is_final))?
                .checked_mul(output_size)?;
            let start = targets_at.checked_sub(outputs)?;
            if start < NODES_FROM {
                return None;
            }
            for index in 0..count {
                let at = targets_at.checked_add(index.checked_mul(target_size)?)?;
                targets.push(target(nodes, at, target_size, start)?);
            }
            Some(is_final == 1)
        }
    }
}

/// Bytes of a transition's target and of an output.
fn pack_sizes(byte: u8) -> Option<(usize, usize)> {
    let (target, output) = (usize::from(byte >> 4), usize::from(byte & 15));
    (target <= 8 && output <= 8).then_some((target, output))
}

/// The target stored in `size` bytes at `at`, of a node that starts at `start`.
fn target(nodes: &[u8], at: usize, size: usize, start: usize) -> Option<usize> {
    let bytes = nodes
        .get(at..at.checked_add(size)?)
        .filter(|bytes| !bytes.is_empty())?;
    let delta = bytes
        .iter()
        .rev()
        .fold(0u64, |number, &byte| number << 8 | u64::from(byte));
    match usize::try_from(delta).ok()? {
        EMPTY_NODE => Some(EMPTY_NODE),
        delta => in_range(start.checked_sub(delta)?, start.checked_add(1)?),
    }
}

/// `target` if it can be the last byte of a stored node before byte `before`.
fn in_range(target: usize, before: usize) -> Option<usize> {
    (NODES_FROM..before).contains(&target).then_some(target)
}
