//! A reader of pickles that runs nothing and whose memory and depth are bounded.
//!
//! A pickle is a program for a stack machine. Every value that it makes is a node in one list, and refers to
//! others by their numbers: what is used twice is stored once, and nothing is nested in memory, so that neither
//! a deep pickle nor one that doubles itself costs more than its own length.
//!
//! Operations: `pickletools.py` of CPython. Those that a state dict has no use for are refused.

use std::collections::HashMap;
use std::io::{BufRead, Read};

use anyhow::{Context, bail, ensure};

/// The pickle of a network has some hundred KB; no more is read of a hostile file.
const MAX_BYTES: u64 = 1 << 20;

/// The number of a node.
pub(super) type Id = u32;

/// A value.
#[derive(Debug, PartialEq)]
pub(super) enum Node {
    Int(i64),
    Text(String),
    /// A class or function: its module, its name.
    Global(String, String),
    Tuple(Vec<Id>),
    List(Vec<Id>),
    /// Keys and values; an `OrderedDict` as well.
    Dict(Vec<(Id, Id)>),
    /// A reference to data elsewhere in the file: a storage.
    Persistent(Id),
    /// The result of a call: function and arguments.
    Call(Id, Id),
    /// A value that is not needed: None, True, a float, bytes.
    Other,
}

/// All values of one pickle.
#[derive(Debug)]
pub(super) struct Pickle {
    nodes: Vec<Node>,
    /// The value that was pickled.
    pub(super) root: Id,
}

impl Pickle {
    /// Reads one pickle from the current position of `file`.
    ///
    /// # Errors
    /// If it is cut off, too long, or holds an operation that no state dict needs.
    pub(super) fn read(file: &mut impl BufRead) -> anyhow::Result<Self> {
        let mut machine = Machine::default();
        let mut input = file.take(MAX_BYTES);
        loop {
            let mut operation = [0];
            input.read_exact(&mut operation).context("the pickle is cut off, or longer than 1 MiB")?;
            if operation[0] == b'.' {
                let root = machine.pop()?;
                return Ok(Self { nodes: machine.nodes, root });
            }
            machine.run(operation[0], &mut input)?;
        }
    }

    pub(super) fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.nodes.iter()
    }

    pub(super) fn node(&self, id: Id) -> &Node {
        &self.nodes[id as usize]
    }

    pub(super) fn text(&self, id: Id) -> Option<&str> {
        if let Node::Text(text) = self.node(id) { Some(text) } else { None }
    }

    pub(super) fn int(&self, id: Id) -> Option<i64> {
        if let Node::Int(n) = self.node(id) { Some(*n) } else { None }
    }

    pub(super) fn tuple(&self, id: Id) -> Option<&[Id]> {
        if let Node::Tuple(items) = self.node(id) { Some(items) } else { None }
    }
}

#[derive(Default)]
struct Machine {
    nodes: Vec<Node>,
    stack: Vec<Id>,
    /// Heights of the stack at the marks.
    marks: Vec<usize>,
    memo: HashMap<u32, Id>,
}

impl Machine {
    fn push(&mut self, node: Node) -> anyhow::Result<()> {
        let id = Id::try_from(self.nodes.len())?;
        self.nodes.push(node);
        self.stack.push(id);
        Ok(())
    }

    fn pop(&mut self) -> anyhow::Result<Id> {
        ensure!(self.marks.last().is_none_or(|&mark| self.stack.len() > mark), "it takes what is not there");
        self.stack.pop().context("it takes what is not there")
    }

    fn pop_n<const N: usize>(&mut self) -> anyhow::Result<Vec<Id>> {
        let mut items = (0..N).map(|_| self.pop()).collect::<anyhow::Result<Vec<_>>>()?;
        items.reverse();
        Ok(items)
    }

    fn pop_to_mark(&mut self) -> anyhow::Result<Vec<Id>> {
        let mark = self.marks.pop().context("it goes back to a mark that is not there")?;
        Ok(self.stack.split_off(mark))
    }

    fn last(&mut self) -> anyhow::Result<&mut Node> {
        let id = *self.stack.last().context("it changes what is not there")?;
        Ok(&mut self.nodes[id as usize])
    }

    fn pop_text(&mut self) -> anyhow::Result<String> {
        let id = self.pop()?;
        if let Node::Text(text) = &self.nodes[id as usize] { Ok(text.clone()) } else { bail!("no name") }
    }

    fn extend_list(&mut self, items: Vec<Id>) -> anyhow::Result<()> {
        let Node::List(list) = self.last()? else { bail!("it appends to what is no list") };
        list.extend(items);
        Ok(())
    }

    fn extend_dict(&mut self, items: &[Id]) -> anyhow::Result<()> {
        let Node::Dict(dict) = self.last()? else { bail!("it sets an item of what is no dict") };
        ensure!(items.len().is_multiple_of(2), "a key without a value");
        dict.extend(items.as_chunks().0.iter().map(|&[key, value]| (key, value)));
        Ok(())
    }

    /// Replaces a function and its arguments by a call; that of an `OrderedDict` becomes an empty dict.
    fn call(&mut self) -> anyhow::Result<()> {
        let (arguments, function) = (self.pop()?, self.pop()?);
        let is_dict = matches!(&self.nodes[function as usize], Node::Global(module, name)
            if module == "collections" && name == "OrderedDict");
        let node = if is_dict { Node::Dict(Vec::new()) } else { Node::Call(function, arguments) };
        self.push(node)
    }

    fn memoize(&mut self, key: u32) -> anyhow::Result<()> {
        let id = *self.stack.last().context("it remembers what is not there")?;
        self.memo.insert(key, id);
        Ok(())
    }

    fn recall(&mut self, key: u32) -> anyhow::Result<()> {
        let id = *self.memo.get(&key).context("it recalls what it never stored")?;
        self.stack.push(id);
        Ok(())
    }

    fn run(&mut self, operation: u8, input: &mut impl BufRead) -> anyhow::Result<()> {
        match operation {
            0x80 => drop(bytes::<1>(input)?), // PROTO
            0x95 => drop(bytes::<8>(input)?), // FRAME
            b'(' => self.marks.push(self.stack.len()),
            b'0' => drop(self.pop()?),
            b'1' => drop(self.pop_to_mark()?),
            b'2' => {
                let last = *self.stack.last().context("it doubles what is not there")?;
                self.stack.push(last);
            }
            b'q' => self.memoize(u32::from(u8::from_le_bytes(bytes(input)?)))?,
            b'r' => self.memoize(u32::from_le_bytes(bytes(input)?))?,
            0x94 => self.memoize(u32::try_from(self.memo.len())?)?,
            b'h' => self.recall(u32::from(u8::from_le_bytes(bytes(input)?)))?,
            b'j' => self.recall(u32::from_le_bytes(bytes(input)?))?,
            _ => {
                let is_known = self.make_number_or_text(operation, input)?
                    || self.make_container(operation)?
                    || self.make_object(operation, input)?;
                ensure!(is_known, "its pickle has the operation {operation:#04x}, which no state dict needs");
            }
        }
        Ok(())
    }

    /// Runs an operation that makes a number, a text or a constant; `false` if it is another.
    fn make_number_or_text(&mut self, operation: u8, input: &mut impl BufRead) -> anyhow::Result<bool> {
        match operation {
            b'N' | 0x88 | 0x89 => self.push(Node::Other)?, // None, True, False
            b'G' => {
                bytes::<8>(input)?;
                self.push(Node::Other)?;
            }
            b'K' => self.push_int(i64::from(u8::from_le_bytes(bytes(input)?)))?,
            b'M' => self.push_int(i64::from(u16::from_le_bytes(bytes(input)?)))?,
            b'J' => self.push_int(i64::from(i32::from_le_bytes(bytes(input)?)))?,
            0x8a => {
                let n = u64::from(u8::from_le_bytes(bytes(input)?));
                let digits = sized(input, n)?;
                let number = long(&digits).map_or(Node::Other, Node::Int);
                self.push(number)?;
            }
            b'X' | b'T' | b'B' => {
                let n = u64::from(u32::from_le_bytes(bytes(input)?));
                self.push_text(sized(input, n)?)?;
            }
            0x8c | b'U' | b'C' => {
                let n = u64::from(u8::from_le_bytes(bytes(input)?));
                self.push_text(sized(input, n)?)?;
            }
            0x8d | 0x8e => {
                let n = u64::from_le_bytes(bytes(input)?);
                self.push_text(sized(input, n)?)?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Runs an operation that makes or fills a container; `false` if it is another.
    fn make_container(&mut self, operation: u8) -> anyhow::Result<bool> {
        match operation {
            b')' => self.push(Node::Tuple(Vec::new()))?,
            b']' => self.push(Node::List(Vec::new()))?,
            b'}' => self.push(Node::Dict(Vec::new()))?,
            0x8f => self.push(Node::List(Vec::new()))?, // a set
            0x85 => self.push_tuple::<1>()?,
            0x86 => self.push_tuple::<2>()?,
            0x87 => self.push_tuple::<3>()?,
            b't' => {
                let items = self.pop_to_mark()?;
                self.push(Node::Tuple(items))?;
            }
            b'l' => {
                let items = self.pop_to_mark()?;
                self.push(Node::List(items))?;
            }
            b'd' => {
                let items = self.pop_to_mark()?;
                self.push(Node::Dict(Vec::new()))?;
                self.extend_dict(&items)?;
            }
            b'a' => {
                let items = self.pop_n::<1>()?;
                self.extend_list(items)?;
            }
            b'e' | 0x90 => {
                let items = self.pop_to_mark()?;
                self.extend_list(items)?;
            }
            b's' => {
                let items = self.pop_n::<2>()?;
                self.extend_dict(&items)?;
            }
            b'u' => {
                let items = self.pop_to_mark()?;
                self.extend_dict(&items)?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Runs an operation on a class, a function or a storage; `false` if it is another.
    fn make_object(&mut self, operation: u8, input: &mut impl BufRead) -> anyhow::Result<bool> {
        match operation {
            b'c' => {
                let (module, name) = (line(input)?, line(input)?);
                self.push(Node::Global(module, name))?;
            }
            0x93 => {
                let (name, module) = (self.pop_text()?, self.pop_text()?);
                self.push(Node::Global(module, name))?;
            }
            b'R' | 0x81 => self.call()?,
            // The state of an object, such as the `_metadata` of a state dict.
            b'b' => drop(self.pop()?),
            b'Q' => {
                let id = self.pop()?;
                self.push(Node::Persistent(id))?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn push_int(&mut self, n: i64) -> anyhow::Result<()> {
        self.push(Node::Int(n))
    }

    fn push_text(&mut self, bytes: Vec<u8>) -> anyhow::Result<()> {
        self.push(String::from_utf8(bytes).map_or(Node::Other, Node::Text))
    }

    fn push_tuple<const N: usize>(&mut self) -> anyhow::Result<()> {
        let items = self.pop_n::<N>()?;
        self.push(Node::Tuple(items))
    }
}

fn bytes<const N: usize>(input: &mut impl Read) -> anyhow::Result<[u8; N]> {
    let mut bytes = [0; N];
    input.read_exact(&mut bytes).context("the pickle is cut off")?;
    Ok(bytes)
}

/// Reads `n` bytes; memory is allocated as they come.
fn sized(input: &mut impl Read, n: u64) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    input.take(n).read_to_end(&mut bytes)?;
    ensure!(bytes.len() as u64 == n, "the pickle is cut off");
    Ok(bytes)
}

fn line(input: &mut impl BufRead) -> anyhow::Result<String> {
    let mut line = Vec::new();
    input.read_until(b'\n', &mut line)?;
    ensure!(line.pop() == Some(b'\n'), "the pickle is cut off");
    Ok(String::from_utf8(line)?)
}

/// Decodes a whole number in two's complement, least byte first; `None` beyond 64 bits.
fn long(digits: &[u8]) -> Option<i64> {
    let sign = if digits.last().is_some_and(|&b| b >= 0x80) { 0xff } else { 0 };
    let mut all = [sign; 8];
    all.get_mut(..digits.len())?.copy_from_slice(digits);
    Some(i64::from_le_bytes(all))
}
