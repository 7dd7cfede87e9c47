//! The whole tier on real input, through its real binary.

mod s3;
