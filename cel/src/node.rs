//! The checked tree that is evaluated.

use regex::Regex;

use crate::library::Overload;

/// One node with its place in the text, in bytes.
#[derive(Debug)]
pub(crate) struct Node {
    pub kind: Kind,
    pub at: u32,
}

#[derive(Debug)]
pub(crate) enum Kind {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Double(f64),
    Str(Box<str>),
    Bytes(Box<[u8]>),
    Type(&'static str),
    /// A variable of the environment.
    Variable(usize),
    /// A variable that a macro binds.
    Local(usize),
    Select {
        of: Box<Node>,
        field: Box<str>,
    },
    Has {
        of: Box<Node>,
        field: Box<str>,
    },
    Index {
        of: Box<Node>,
        key: Box<Node>,
    },
    /// `a.?b` and `a[?b]`.
    Optional {
        of: Box<Node>,
        key: Box<Node>,
    },
    /// An optional of a variable: none where it is `null`.
    Perhaps(Box<Node>),
    /// Elements; one whose flag is set is left out when its optional is none.
    List(Vec<(Node, bool)>),
    Map(Vec<(Node, Node, bool)>),
    And(Box<Node>, Box<Node>),
    Or(Box<Node>, Box<Node>),
    Not(Box<Node>),
    Negate(Box<Node>),
    Conditional(Box<[Node; 3]>),
    Binary(Op, Box<Node>, Box<Node>),
    Call {
        name: Box<str>,
        overloads: Vec<&'static Overload>,
        args: Vec<Node>,
    },
    /// A call whose pattern is known, compiled once.
    Pattern {
        text: Box<Node>,
        regex: Box<Regex>,
        ask: Ask,
    },
    Loop(Box<Loop>),
    Bind {
        value: Box<Node>,
        body: Box<Node>,
    },
    OptMap {
        of: Box<Node>,
        body: Box<Node>,
        flat: bool,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
    Equal,
    Unequal,
    Less,
    AtMost,
    Greater,
    AtLeast,
    In,
}

impl Op {
    pub(crate) const fn sign(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Modulo => "%",
            Self::Equal => "==",
            Self::Unequal => "!=",
            Self::Less => "<",
            Self::AtMost => "<=",
            Self::Greater => ">",
            Self::AtLeast => ">=",
            Self::In => "in",
        }
    }
}

/// What is asked of a compiled pattern.
#[derive(Debug)]
pub(crate) enum Ask {
    Matches,
    Find,
    FindAll(Option<Box<Node>>),
}

/// A comprehension: over what, with one variable or two, and what it makes.
#[derive(Debug)]
pub(crate) struct Loop {
    pub range: Node,
    pub two: bool,
    pub make: Make,
}

#[derive(Debug)]
pub(crate) enum Make {
    All(Node),
    Exists(Node),
    ExistsOne(Node),
    Filter(Node),
    /// `map`, `transformList`: a list of what comes out, of what passes the filter.
    List(Option<Node>, Node),
    /// `transformMap`: the same keys.
    Map(Option<Node>, Node),
    /// `transformMapEntry`: entries of its own.
    Entries(Option<Node>, Node),
}
