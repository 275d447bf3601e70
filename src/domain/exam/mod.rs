//! Examinations (考试): how their scores come before pupils and families (domain reference §16).

pub mod publish;
