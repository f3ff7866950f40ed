//! A reader for the pickles of CIFAR's Python layout that executes nothing.
//!
//! A pickle is a program for a stack machine that may call any Python function. This reader runs only the instructions
//! that build plain values; a call is kept as a value (`Called`) and understood by name where it makes a numpy array or
//! bytes. Any other name is an error. Values refer to each other by index, so neither a value that holds itself nor one
//! nested a million times costs recursion or copies, and every string borrows from the file.
//!
//! Instructions: `Lib/pickletools.py` of Python. Arrays: numpy's `ndarray.__reduce__` (protocols 2 to 4) and
//! `numpy.core.numeric._frombuffer` (protocol 5).

mod machine;

use std::borrow::Cow;

use machine::{Id, Value, Values};

/// A parsed pickle, whose outermost value is a dict.
pub(super) struct Pickle<'a> {
    values: Values<'a>,
    root: Id,
}

impl<'a> Pickle<'a> {
    /// Parses all of `bytes`.
    ///
    /// # Errors
    /// A phrase that says what is wrong, to follow the file's name.
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self, String> {
        let (values, root) = machine::run(bytes)?;
        Ok(Self { values, root })
    }

    /// The value of `key` in the outermost dict; keys may be text or Python 2's byte strings.
    fn entry(&self, key: &str) -> Result<Id, String> {
        let Value::Dict(entries) = self.value(self.root) else {
            return Err("is a pickle, but not of a dict".into());
        };
        let found = entries
            .iter()
            .rev()
            .find(|&&(name, _)| self.bytes(name).is_ok_and(|name| *name == *key.as_bytes()));
        found.map(|&(_, value)| value).ok_or_else(|| format!("has no entry `{key}`"))
    }

    /// The list (or tuple) of integers under `key`.
    pub(super) fn integers(&self, key: &str) -> Result<Vec<i64>, String> {
        self.integer_items(self.entry(key)?)
    }

    /// The list (or tuple) of strings under `key`.
    pub(super) fn strings(&self, key: &str) -> Result<Vec<String>, String> {
        let items = self.items(self.entry(key)?)?;
        items.iter().map(|&item| Ok(String::from_utf8_lossy(&self.bytes(item)?).into_owned())).collect()
    }

    /// The numpy array of uint8 with two axes under `key`: its rows, columns and bytes, row-major.
    pub(super) fn matrix_u8(&self, key: &str) -> Result<(usize, usize, Cow<'a, [u8]>), String> {
        let (shape, dtype, in_columns, data) = self.array_parts(self.entry(key)?)?;
        let dtype = self.dtype(dtype)?;
        if &*dtype != b"u1" && &*dtype != b"uint8" {
            return Err(format!("has an array of type {:?}, not of uint8", String::from_utf8_lossy(&dtype)));
        }
        if in_columns {
            return Err("has an array in Fortran order, which CIFAR's files never have".into());
        }
        let shape = self.integer_items(shape)?;
        let data = self.bytes(data)?;
        let &[rows, columns] = shape.as_slice() else {
            return Err(format!("has an array of shape {shape:?}, not of two axes"));
        };
        match (usize::try_from(rows), usize::try_from(columns)) {
            (Ok(rows), Ok(columns)) if rows.checked_mul(columns) == Some(data.len()) => {
                Ok((rows, columns, data))
            }
            _ => Err(format!("has an array of shape {shape:?} with {} bytes", data.len())),
        }
    }

    /// Shape, dtype, whether the order is Fortran's, and bytes of a numpy array.
    fn array_parts(&self, array: Id) -> Result<(Id, Id, bool, Id), String> {
        let not_array = || String::from("has no numpy array where one should be");
        let Value::Called { function, arguments, state } = *self.value(array) else {
            return Err(not_array());
        };
        match self.name(function)? {
            ("numpy.core.multiarray" | "numpy._core.multiarray", "_reconstruct") => {
                // The state is (version, shape, dtype, is Fortran, bytes); the arguments only make an empty array.
                match *self.items(state.ok_or_else(not_array)?)? {
                    [_, shape, dtype, in_columns, data] => {
                        let in_columns =
                            matches!(self.value(in_columns), Value::Bool(true) | Value::Integer(1));
                        Ok((shape, dtype, in_columns, data))
                    }
                    _ => Err(not_array()),
                }
            }
            ("numpy.core.numeric" | "numpy._core.numeric", "_frombuffer") => match *self.items(arguments)? {
                [data, dtype, shape, order] => Ok((shape, dtype, *self.bytes(order)? == *b"F", data)),
                _ => Err(not_array()),
            },
            _ => Err(not_array()),
        }
    }

    /// The name of a numpy dtype, e.g. `u1`.
    fn dtype(&self, dtype: Id) -> Result<Cow<'a, [u8]>, String> {
        if let Value::Called { function, arguments, .. } = *self.value(dtype)
            && self.name(function)? == ("numpy", "dtype")
            && let Some(&name) = self.items(arguments)?.first()
        {
            return self.bytes(name);
        }
        Err("has an array without a dtype".into())
    }

    fn value(&self, id: Id) -> &Value<'a> {
        self.values.get(id)
    }

    fn items(&self, id: Id) -> Result<&[Id], String> {
        match self.value(id) {
            Value::List(items) | Value::Tuple(items) => Ok(items),
            other => Err(format!("has {} where a list should be", other.describe())),
        }
    }

    fn integer_items(&self, list: Id) -> Result<Vec<i64>, String> {
        self.items(list)?.iter().map(|&item| self.integer(item)).collect()
    }

    fn integer(&self, id: Id) -> Result<i64, String> {
        match *self.value(id) {
            Value::Integer(value) => Ok(value),
            ref other => Err(format!("has {} where an integer should be", other.describe())),
        }
    }

    fn name(&self, id: Id) -> Result<(&'a str, &'a str), String> {
        match *self.value(id) {
            Value::Global { module, name } => Ok((module, name)),
            ref other => Err(format!("calls {}, which is not a function", other.describe())),
        }
    }

    /// The bytes of a string, or those that `_codecs.encode(text, "latin1")` makes: how protocol 2 of Python 3 writes them.
    fn bytes(&self, id: Id) -> Result<Cow<'a, [u8]>, String> {
        match *self.value(id) {
            Value::Bytes(bytes) => Ok(Cow::Borrowed(bytes)),
            Value::Called { function, arguments, .. } if self.name(function)? == ("_codecs", "encode") => {
                match (
                    self.items(arguments)?.first().map(|&text| self.value(text)),
                    self.items(arguments)?.len(),
                ) {
                    (Some(Value::Bytes(text)), 2) => latin1(text).map(Cow::Owned),
                    _ => Err("encodes something that is not text".into()),
                }
            }
            ref other => Err(format!("has {} where a string should be", other.describe())),
        }
    }
}

/// The bytes whose Latin-1 text this is, given as UTF-8. Never longer than `text`.
fn latin1(text: &[u8]) -> Result<Vec<u8>, String> {
    let text = std::str::from_utf8(text).map_err(|_| String::from("has text that is not UTF-8"))?;
    let mut bytes = Vec::with_capacity(text.len());
    for character in text.chars() {
        bytes.push(u8::try_from(character).map_err(|_| String::from("has bytes that are not Latin-1"))?);
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn problem(bytes: &[u8]) -> String {
        Pickle::parse(bytes).map(|_| ()).unwrap_err()
    }

    #[test]
    fn a_call_of_anything_else_is_refused_unexecuted() {
        // What `pickle.dumps` makes of an object whose __reduce__ is (os.system, ("true",)).
        assert_eq!(
            problem(b"\x80\x02cposix\nsystem\nq\x00X\x04\x00\x00\x00trueq\x01\x85q\x02Rq\x03."),
            "names the Python object posix.system, which a CIFAR file never does; it was not executed, and may be hostile"
        );
        assert_eq!(
            problem(b"\x80\x04\x8c\x08builtins\x8c\x04eval\x93."),
            "names the Python object builtins.eval, which a CIFAR file never does; it was not executed, and may be hostile"
        );
    }

    #[test]
    fn damaged_programs_have_a_sentence_each() {
        assert_eq!(problem(b""), "is not a pickle of protocol 2 to 5");
        assert_eq!(problem(b"\x80\x02"), "ends within a pickle");
        assert_eq!(problem(b"\x80\x02T\xff\xff\xff\x7fabc"), "ends within a pickle");
        assert_eq!(problem(b"\x80\x02R."), "is a damaged pickle (the stack is empty at byte 2)");
        assert_eq!(problem(b"\x80\x02a."), "is a damaged pickle (the stack is empty at byte 2)");
        assert_eq!(problem(b"\x80\x02h\x07."), "is a damaged pickle (nothing was stored as 7 at byte 2)");
        assert_eq!(problem(b"\x80\x02t."), "is a damaged pickle (there is no mark at byte 2)");
        assert_eq!(
            problem(b"\x80\x02P."),
            "is a damaged pickle (instruction 0x50 has no place in a CIFAR file at byte 2)"
        );
        assert_eq!(problem(b"\x80\x02K\x01N."), "holds more than one value");
    }

    #[test]
    fn a_value_that_holds_itself_a_million_times_costs_nothing() {
        // l = []; l.append(l), and a chain in which each tuple holds the one before twice: 2^100,000 leaves when copied.
        let mut bytes = b"\x80\x02]q\x00h\x00a0N".to_vec();
        for _ in 0..100_000 {
            bytes.extend(b"2\x86");
        }
        bytes.push(b'.');
        let pickle = Pickle::parse(&bytes).unwrap();
        assert_eq!(pickle.integers("data").unwrap_err(), "is a pickle, but not of a dict");
    }

    #[test]
    fn more_instructions_than_any_official_file_are_refused() {
        let bytes = [b"\x80\x02".as_slice(), &vec![b'N'; 3 << 20]].concat();
        assert_eq!(problem(&bytes), "has more than 2097152 instructions, far more than any CIFAR file");
    }

    proptest! {
        #[test]
        fn any_bytes_end_in_a_value_or_a_sentence(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let bytes = [b"\x80\x02".as_slice(), &bytes].concat();
            if let Ok(pickle) = Pickle::parse(&bytes) {
                let _ = pickle.matrix_u8("data");
            }
        }
    }
}
