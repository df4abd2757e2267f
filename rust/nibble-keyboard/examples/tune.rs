//! scratch
#![allow(
    clippy::all,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    missing_docs
)]
use nibble::*;
use nibble_keyboard::boundary::*;
use nibble_keyboard::model_words::*;
use nibble_keyboard::position::*;
use nibble_keyboard::scorer::*;
use nibble_keyboard::vocab_index::*;
use nibble_keyboard::word_table::*;
use nibble_keyboard::*;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

fn fnv(s: &str) -> u64 {
    s.bytes().fold(0xcbf29ce484222325u64, |h, b| {
        (h ^ b as u64).wrapping_mul(0x100000001b3)
    })
}

pub fn lexicon() -> Vec<(String, f64)> {
    let t = std::fs::read_to_string("/work/data/lexicon.tsv").unwrap();
    t.lines()
        .map(|l| {
            let (w, c) = l.split_once('\t').unwrap();
            (w.to_string(), c.parse().unwrap())
        })
        .collect()
}

static Q: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(1000);
struct Res {
    keys: usize,
    chars: usize,
    words: usize,
    top1: usize,
    top3: usize,
    k2: usize,
    k2n: usize,
    us: Vec<f32>,
}

fn simulate(text: &str, mut suggest_scored: impl FnMut(&str) -> Vec<(String, f32)>, r: &mut Res) {
    let shown: std::cell::RefCell<Vec<(usize, usize, String)>> = Default::default();
    let q = Q.load(std::sync::atomic::Ordering::Relaxed) as f32 / 1000.0;
    let mut suggest = |b: &str| -> Vec<String> {
        let pos = TextPosition::of(b);
        let len = b.chars().count();
        let start = len - pos.typed.chars().count();
        let mut s = suggest_scored(b);
        for (w, p) in &mut s {
            if shown
                .borrow()
                .iter()
                .any(|(st, l, x)| *st == start && *l < len && x == w)
            {
                *p *= q;
            }
        }
        s.sort_by(|a, b| b.1.total_cmp(&a.1));
        s.truncate(3);
        shown
            .borrow_mut()
            .extend(s.iter().map(|(w, _)| (start, len, w.clone())));
        s.into_iter().map(|x| x.0).collect()
    };
    let cs: Vec<char> = text.chars().collect();
    let low: Vec<String> = cs.iter().map(|c| c.to_lowercase().collect()).collect();
    let _ = low;
    let mut i = 0; // position typed so far
    r.chars += cs.len();
    while i < cs.len() {
        let before: String = cs[..i].iter().collect();
        let t0 = Instant::now();
        let s = suggest(&before);
        r.us.push(t0.elapsed().as_secs_f32() * 1e6);
        let pos = TextPosition::of(&before);
        let typed = pos.typed.chars().count();
        let start = i - typed;
        let mut accepted = None;
        for w in &s {
            let w: Vec<char> = w.chars().collect();
            let end = start + w.len();
            if end > i
                && end <= cs.len()
                && w.iter()
                    .zip(&cs[start..end])
                    .all(|(a, b)| a.to_lowercase().eq(b.to_lowercase()))
                && cs
                    .get(end)
                    .is_none_or(|c| !(c.is_alphanumeric() || *c == '\''))
            {
                accepted = Some(end);
            }
        }
        // word stats
        let at_boundary = typed == 0 && pos.join != Join::Unusual;
        if at_boundary && cs[i].is_alphabetic() {
            r.words += 1;
            let e = (i..cs.len())
                .find(|&j| !(cs[j].is_alphanumeric() || cs[j] == '\''))
                .unwrap_or(cs.len());
            let w: String = cs[i..e].iter().collect::<String>().to_lowercase();
            let p = s.iter().position(|x| x.to_lowercase() == w);
            if p == Some(0) {
                r.top1 += 1
            }
            if p.is_some_and(|p| p < 3) {
                r.top3 += 1
            }
            if e - i >= 2 {
                r.k2n += 1;
                if e - i == 2 {
                    r.k2 += 1;
                } else {
                    let b: String = cs[..i + 2].iter().collect();
                    if suggest(&b).iter().any(|x| x.to_lowercase() == w) {
                        r.k2 += 1
                    }
                }
            }
        }
        match accepted {
            Some(end) => {
                r.keys += 1;
                i = end;
                // the space after the word came with it
                if cs.get(i) == Some(&' ') {
                    i += 1;
                }
            }
            None => {
                r.keys += 1;
                i += 1;
            }
        }
    }
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let get = |k: &str| {
        args.iter()
            .position(|a| a == k)
            .map(|i| args[i + 1].clone())
    };
    let half = get("--half").unwrap_or("tune".into());
    let n: usize = get("--n").map_or(150, |x| x.parse().unwrap());
    let files = get("--files").unwrap_or("/work/data/chatterbot.txt,/work/data/tweets.txt".into());
    let primers: Vec<String> = get("--primers").map_or(vec![String::new()], |p| {
        p.split(',')
            .map(|f| {
                if f == "-" {
                    String::new()
                } else {
                    std::fs::read_to_string(f).unwrap()
                }
            })
            .collect()
    });
    let names: Vec<String> = get("--primers")
        .unwrap_or("-".into())
        .split(',')
        .map(String::from)
        .collect();
    let vars = get("--weights").unwrap_or_default();
    let start_token = get("--start").unwrap_or("<|endoftext|>".into());

    let lex = lexicon();
    let t = Instant::now();
    let table = WordTable::new(
        lex.iter().map(|(w, f)| Word {
            text: w,
            frequency: *f,
            language: 0,
            offensive: false,
        }),
        1,
    );
    eprintln!(
        "table {} words {:?} {} bytes",
        table.len(),
        t.elapsed(),
        table.size_bytes()
    );
    let model = Arc::new(
        Model::open(
            nibble_testkit::smollm2(),
            &ModelOptions {
                threads: 2,
                ..Default::default()
            },
        )
        .unwrap(),
    );
    let t = Instant::now();
    let index = VocabIndex::new(model.tokenizer());
    eprintln!(
        "index {} {:?} {}",
        index.len(),
        t.elapsed(),
        index.size_bytes()
    );
    let t = Instant::now();
    let words = ModelWords::new(&table, &index, model.tokenizer()).unwrap();
    eprintln!("words {:?} {}", t.elapsed(), words.size_bytes());

    let mut wsets: Vec<(String, Weights)> = vec![];
    for v in vars.split(';') {
        let mut w = Weights::default();
        for kv in v.split(',').filter(|x| !x.is_empty()) {
            let (k, x) = kv.split_once('=').unwrap();
            let x: f32 = x.parse().unwrap();
            match k {
                "l" => w.lexicon = x,
                "u" => w.unlisted = x,
                "q" => {}
                _ => panic!(),
            }
        }
        wsets.push((v.to_string(), w));
    }

    for file in files.split(',') {
        let text = std::fs::read_to_string(file).unwrap();
        let mut sents: Vec<&str> = text
            .lines()
            .filter(|l| (fnv(l) % 2 == 0) == (half == "tune"))
            .collect();
        sents.sort_by_key(|s| fnv(s).rotate_left(32));
        sents.truncate(n);
        let chars: usize = sents.iter().map(|s| s.chars().count()).sum();
        println!("== {file} {} sentences {} chars", sents.len(), chars);
        let report = |name: &str, r: &Res, passes: usize, secs: f64| {
            let mut us = r.us.clone();
            us.sort_by(f32::total_cmp);
            println!(
                "{name:40} KSS {:.2} top1 {:.1} top3 {:.1} k2 {:.1} passes/char {:.3} us p50 {:.1} p95 {:.1} max {:.0}  {:.1} ms/pass",
                100.0 * (1.0 - r.keys as f64 / r.chars as f64),
                100.0 * r.top1 as f64 / r.words as f64,
                100.0 * r.top3 as f64 / r.words as f64,
                100.0 * r.k2 as f64 / r.k2n as f64,
                passes as f64 / r.chars as f64,
                us[us.len() / 2],
                us[us.len() * 95 / 100],
                us[us.len() - 1],
                secs * 1e3 / passes.max(1) as f64
            );
        };
        let new = || Res {
            keys: 0,
            chars: 0,
            words: 0,
            top1: 0,
            top3: 0,
            k2: 0,
            k2n: 0,
            us: vec![],
        };
        {
            let w = Weights::default();
            let sc = Scorer {
                table: &table,
                model: None,
                user: None,
                languages: &[1.0],
                weights: &w,
            };
            let mut r = new();
            let next: Vec<(String, f32)> = sc
                .completions("", 12)
                .words
                .into_iter()
                .map(|x| (x.text, x.probability))
                .collect();
            for s in &sents {
                simulate(
                    s,
                    |b| {
                        let p = TextPosition::of(b);
                        if p.join == Join::Unusual && p.typed.is_empty() {
                            return vec![];
                        }
                        if p.typed.is_empty() {
                            return next.clone();
                        }
                        sc.completions(p.typed, 12)
                            .words
                            .into_iter()
                            .map(|x| (x.text, x.probability))
                            .collect()
                    },
                    &mut r,
                );
            }
            report("unigram", &r, 0, 0.0);
            Q.store(1000, std::sync::atomic::Ordering::Relaxed);
        }
        if args.iter().any(|a| a == "--unigram") {
            continue;
        }
        for (primer, name) in primers.iter().zip(&names) {
            let mut session = Session::new(
                model.clone(),
                SessionOptions {
                    context: 1024,
                    ..Default::default()
                },
            )
            .unwrap();
            let mut base = vec![model.tokenizer().special(&start_token).unwrap()];
            base.extend(
                model
                    .tokenizer()
                    .encode(primer.trim_end(), SpecialTokens::AsText)
                    .unwrap(),
            );
            let mut cache: HashMap<String, Arc<Distribution>> = HashMap::new();
            let mut passes = 0;
            let mut secs = 0.0;
            let colon = primer.trim_end().ends_with(':');
            let nl = if primer.is_empty() {
                ""
            } else if colon {
                " "
            } else {
                "\n"
            };
            for (wn, w) in &wsets {
                let mut r = new();
                let q = wn
                    .split(',')
                    .find_map(|kv| kv.strip_prefix("q="))
                    .map_or(1000, |x| (x.parse::<f32>().unwrap() * 1000.0) as u32);
                Q.store(q, std::sync::atomic::Ordering::Relaxed);
                let mut ranked: HashMap<String, Vec<(String, f32)>> = HashMap::new();
                for s in &sents {
                    simulate(
                        s,
                        |b| {
                            let p = TextPosition::of(b);
                            if p.join == Join::Unusual {
                                return vec![];
                            }
                            let d = cache
                                .entry(p.context.to_string())
                                .or_insert_with(|| {
                                    let t = Instant::now();
                                    let mut tokens = base.clone();
                                    tokens.extend(
                                        model
                                            .tokenizer()
                                            .encode(
                                                &if colon && p.context.is_empty() {
                                                    String::new()
                                                } else {
                                                    format!("{nl}{}", p.context)
                                                },
                                                SpecialTokens::AsText,
                                            )
                                            .unwrap(),
                                    );
                                    session.prefill(&tokens, &CancelHandle::new()).unwrap();
                                    passes += 1;
                                    let d = Arc::new(Distribution::new(
                                        &index,
                                        session.logits().unwrap(),
                                    ));
                                    secs += t.elapsed().as_secs_f64();
                                    d
                                })
                                .clone();
                            let sc = Scorer {
                                table: &table,
                                model: Some(ModelEvidence {
                                    index: &index,
                                    words: &words,
                                    distribution: &d,
                                    join: if colon && p.context.is_empty() {
                                        Join::Space
                                    } else {
                                        p.join
                                    },
                                    inside_sentence: !p.begins_sentence,
                                }),
                                user: None,
                                languages: &[1.0],
                                weights: w,
                            };
                            if p.typed.is_empty() {
                                return ranked
                                    .entry(p.context.to_string())
                                    .or_insert_with(|| {
                                        sc.completions("", 12)
                                            .words
                                            .into_iter()
                                            .map(|x| (x.text, x.probability))
                                            .collect()
                                    })
                                    .clone();
                            }
                            sc.completions(p.typed, 12)
                                .words
                                .into_iter()
                                .map(|x| (x.text, x.probability))
                                .collect()
                        },
                        &mut r,
                    );
                }
                report(
                    &format!("{} {wn}", name.rsplit('/').next().unwrap()),
                    &r,
                    passes,
                    secs,
                );
            }
        }
    }
}
