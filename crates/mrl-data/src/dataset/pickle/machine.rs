//! The stack machine. Everything it allocates is bounded by the number of instructions, which is bounded itself.

use std::collections::HashMap;

/// CIFAR-100's `train` has some 300,000.
const MOST_INSTRUCTIONS: usize = 1 << 21;

/// The names that may occur, which are those of numpy arrays and of bytes.
const KNOWN: [(&str, &str); 7] = [
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy.core.numeric", "_frombuffer"),
    ("numpy._core.numeric", "_frombuffer"),
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("_codecs", "encode"),
];

/// The index of a value.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Id(u32);

/// What a pickle builds.
pub(super) enum Value<'a> {
    Nothing,
    Bool(bool),
    Integer(i64),
    /// A byte string or a text: Python 2 did not tell them apart.
    Bytes(&'a [u8]),
    List(Vec<Id>),
    Tuple(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    Global {
        module: &'a str,
        name: &'a str,
    },
    /// A call that was written down instead of made, and the state that the object would have got.
    Called {
        function: Id,
        arguments: Id,
        state: Option<Id>,
    },
}

impl Value<'_> {
    pub(super) fn describe(&self) -> &'static str {
        match self {
            Self::Nothing => "None",
            Self::Bool(_) => "a bool",
            Self::Integer(_) => "an integer",
            Self::Bytes(_) => "a string",
            Self::List(_) => "a list",
            Self::Tuple(_) => "a tuple",
            Self::Dict(_) => "a dict",
            Self::Global { .. } => "a function",
            Self::Called { .. } => "an object",
        }
    }
}

/// All values of a pickle.
pub(super) struct Values<'a>(Vec<Value<'a>>);

impl<'a> Values<'a> {
    pub(super) fn get(&self, id: Id) -> &Value<'a> {
        &self.0[id.0 as usize]
    }
}

/// Runs a whole pickle and gives its values and the last of them.
pub(super) fn run(bytes: &[u8]) -> Result<(Values<'_>, Id), String> {
    if !(bytes.len() >= 2 && bytes[0] == 0x80 && (2..=5).contains(&bytes[1])) {
        return Err("is not a pickle of protocol 2 to 5".into());
    }
    let mut machine = Machine {
        bytes,
        at: 2,
        values: Vec::new(),
        stack: Vec::new(),
        marks: Vec::new(),
        memo: HashMap::new(),
    };
    for _ in 0..MOST_INSTRUCTIONS {
        let start = machine.at;
        let opcode = machine.take(1)?[0];
        if opcode == b'.' {
            return match machine.stack[..] {
                [root] => Ok((Values(machine.values), root)),
                _ => Err("holds more than one value".into()),
            };
        }
        machine.step(opcode).map_err(|problem| match problem {
            Problem::Cut => String::from("ends within a pickle"),
            Problem::Damaged(what) => format!("is a damaged pickle ({what} at byte {start})"),
            Problem::Refused(sentence) => sentence,
        })?;
    }
    Err(format!("has more than {MOST_INSTRUCTIONS} instructions, far more than any CIFAR file"))
}

enum Problem {
    /// The file ends where an argument should be.
    Cut,
    /// What an instruction lacks.
    Damaged(String),
    /// A whole sentence.
    Refused(String),
}

impl From<Problem> for String {
    fn from(_: Problem) -> Self {
        "ends within a pickle".into()
    }
}

fn damaged<T>(what: impl Into<String>) -> Result<T, Problem> {
    Err(Problem::Damaged(what.into()))
}

struct Machine<'a> {
    bytes: &'a [u8],
    at: usize,
    values: Vec<Value<'a>>,
    stack: Vec<Id>,
    /// Heights of the stack at the open marks.
    marks: Vec<usize>,
    memo: HashMap<u32, Id>,
}

impl<'a> Machine<'a> {
    fn step(&mut self, opcode: u8) -> Result<(), Problem> {
        match opcode {
            // FRAME: only a hint of length.
            0x95 => self.take(8).map(|_| ()),
            b'(' => {
                self.marks.push(self.stack.len());
                Ok(())
            }
            b'0' => self.pop().map(|_| ()),
            b'2' => {
                let top = self.top()?;
                self.stack.push(top);
                Ok(())
            }
            b'N' => self.push(Value::Nothing),
            0x88 => self.push(Value::Bool(true)),
            0x89 => self.push(Value::Bool(false)),
            b'J' | b'K' | b'M' | 0x8a => self.push_integer(opcode),
            b'T' | b'X' | b'B' => self.push_string(4),
            b'U' | b'C' | 0x8c => self.push_string(1),
            0x8d | 0x8e | 0x96 => self.push_string(8),
            b']' => self.push(Value::List(Vec::new())),
            b'}' => self.push(Value::Dict(Vec::new())),
            b')' => self.push(Value::Tuple(Vec::new())),
            b'l' => self.pop_to_mark().and_then(|items| self.push(Value::List(items))),
            b't' => self.pop_to_mark().and_then(|items| self.push(Value::Tuple(items))),
            0x85..=0x87 => {
                self.pop_many(usize::from(opcode - 0x84)).and_then(|items| self.push(Value::Tuple(items)))
            }
            b'd' => {
                let items = self.pop_to_mark()?;
                self.push(Value::Dict(Vec::new()))?;
                self.set_items(&items)
            }
            b'a' => self.pop_many(1).and_then(|items| self.append(&items)),
            b'e' => self.pop_to_mark().and_then(|items| self.append(&items)),
            b's' => self.pop_many(2).and_then(|items| self.set_items(&items)),
            b'u' => self.pop_to_mark().and_then(|items| self.set_items(&items)),
            b'c' | 0x93 => self.push_global(opcode),
            b'R' => {
                let arguments = self.pop()?;
                let function = self.pop()?;
                self.push(Value::Called { function, arguments, state: None })
            }
            b'b' => self.build(),
            b'q' | b'r' | 0x94 => self.store(opcode),
            b'h' | b'j' => self.load(opcode),
            _ => damaged(format!("instruction {opcode:#04x} has no place in a CIFAR file")),
        }
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], Problem> {
        let bytes =
            self.at.checked_add(count).and_then(|end| self.bytes.get(self.at..end)).ok_or(Problem::Cut)?;
        self.at += count;
        Ok(bytes)
    }

    /// An unsigned little-endian number of `count` bytes, at most 8.
    fn number(&mut self, count: usize) -> Result<u64, Problem> {
        let mut bytes = [0; 8];
        bytes[..count].copy_from_slice(self.take(count)?);
        Ok(u64::from_le_bytes(bytes))
    }

    fn push(&mut self, value: Value<'a>) -> Result<(), Problem> {
        let Ok(id) = u32::try_from(self.values.len()) else { return damaged("there are too many values") };
        self.stack.push(Id(id));
        self.values.push(value);
        Ok(())
    }

    fn push_integer(&mut self, opcode: u8) -> Result<(), Problem> {
        let value = match opcode {
            b'K' => self.number(1)? as i64,
            b'M' => self.number(2)? as i64,
            b'J' => i64::from(self.number(4)? as u32 as i32),
            // LONG1: two's complement of the fewest bytes.
            _ => match self.number(1)? as usize {
                0 => 0,
                count @ 1..=8 => {
                    let unused = 64 - 8 * count as u32;
                    ((self.number(count)? << unused) as i64) >> unused
                }
                count => return damaged(format!("an integer has {count} bytes")),
            },
        };
        self.push(Value::Integer(value))
    }

    fn push_string(&mut self, length_bytes: usize) -> Result<(), Problem> {
        let length = usize::try_from(self.number(length_bytes)?).map_err(|_| Problem::Cut)?;
        let bytes = self.take(length)?;
        self.push(Value::Bytes(bytes))
    }

    /// GLOBAL takes two lines of the file, `STACK_GLOBAL` two strings of the stack.
    fn push_global(&mut self, opcode: u8) -> Result<(), Problem> {
        let (module, name) = if opcode == b'c' {
            (self.line()?, self.line()?)
        } else {
            let (name, module) = (self.pop()?, self.pop()?);
            match (&self.values[module.0 as usize], &self.values[name.0 as usize]) {
                (&Value::Bytes(module), &Value::Bytes(name)) => (module, name),
                _ => return damaged("a name is not a string"),
            }
        };
        let is_it = |&&(known_module, known_name): &&(&str, &str)| {
            known_module.as_bytes() == module && known_name.as_bytes() == name
        };
        let Some(&(module, name)) = KNOWN.iter().find(is_it) else {
            return Err(Problem::Refused(format!(
                "names the Python object {}.{}, which a CIFAR file never does; it was not executed, and may be hostile",
                shortened(module),
                shortened(name)
            )));
        };
        self.push(Value::Global { module, name })
    }

    fn line(&mut self) -> Result<&'a [u8], Problem> {
        let rest = &self.bytes[self.at..];
        let length = rest.iter().position(|&byte| byte == b'\n').ok_or(Problem::Cut)?;
        self.at += length + 1;
        Ok(&rest[..length])
    }

    fn top(&self) -> Result<Id, Problem> {
        let floor = self.marks.last().copied().unwrap_or(0);
        match self.stack.last() {
            Some(&top) if self.stack.len() > floor => Ok(top),
            _ => damaged("the stack is empty"),
        }
    }

    fn pop(&mut self) -> Result<Id, Problem> {
        let top = self.top()?;
        self.stack.pop();
        Ok(top)
    }

    fn pop_many(&mut self, count: usize) -> Result<Vec<Id>, Problem> {
        let mut items = (0..count).map(|_| self.pop()).collect::<Result<Vec<_>, _>>()?;
        items.reverse();
        Ok(items)
    }

    fn pop_to_mark(&mut self) -> Result<Vec<Id>, Problem> {
        match self.marks.pop() {
            Some(mark) => Ok(self.stack.split_off(mark)),
            None => damaged("there is no mark"),
        }
    }

    fn top_value(&mut self) -> Result<&mut Value<'a>, Problem> {
        let top = self.top()?;
        Ok(&mut self.values[top.0 as usize])
    }

    fn append(&mut self, items: &[Id]) -> Result<(), Problem> {
        match self.top_value()? {
            Value::List(list) => {
                list.extend(items);
                Ok(())
            }
            other => damaged(format!("items are appended to {}", other.describe())),
        }
    }

    fn set_items(&mut self, items: &[Id]) -> Result<(), Problem> {
        let (pairs, []) = items.as_chunks::<2>() else { return damaged("a key has no value") };
        match self.top_value()? {
            Value::Dict(entries) => {
                entries.extend(pairs.iter().map(|&[key, value]| (key, value)));
                Ok(())
            }
            other => damaged(format!("entries are set in {}", other.describe())),
        }
    }

    /// Gives an object its state.
    fn build(&mut self) -> Result<(), Problem> {
        let new_state = self.pop()?;
        match self.top_value()? {
            Value::Called { state, .. } => {
                *state = Some(new_state);
                Ok(())
            }
            other => damaged(format!("{} is given a state", other.describe())),
        }
    }

    fn store(&mut self, opcode: u8) -> Result<(), Problem> {
        let key = match opcode {
            b'q' => self.number(1)? as u32,
            b'r' => self.number(4)? as u32,
            // MEMOIZE counts.
            _ => self.memo.len() as u32,
        };
        let top = self.top()?;
        self.memo.insert(key, top);
        Ok(())
    }

    fn load(&mut self, opcode: u8) -> Result<(), Problem> {
        let key = self.number(if opcode == b'h' { 1 } else { 4 })? as u32;
        match self.memo.get(&key) {
            Some(&id) => {
                self.stack.push(id);
                Ok(())
            }
            None => damaged(format!("nothing was stored as {key}")),
        }
    }
}

/// A name of the file as text for a message, of a bearable length.
fn shortened(name: &[u8]) -> String {
    String::from_utf8_lossy(&name[..name.len().min(60)]).escape_default().to_string()
}
