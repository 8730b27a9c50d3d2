//! The records of a run, kept small.
//!
//! A run of a million bars makes half a million records, and what costs time is not to make them but to find room for
//! them: an envelope is as large as its largest kind, and half of them carry another box. Most records are of six
//! kinds and differ from earlier ones in a few numbers. Those are kept as numbers, and everything that repeats
//! (instruments, strategies, what an order is for) once; every other record is kept as it is. What is read is the
//! record that was put in, to the last digit.

mod forms;
mod names;
mod numbers;
mod records;
mod row;

pub(super) use records::KeptRecords;
