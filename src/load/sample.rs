//! The people and places that the benchmark asks for, as `demo --load-sample` writes them.
//!
//! Global ids are for the GraphQL server, bare keys for the hand-written handler beside it. The file
//! holds tokens: it is as secret as they are, and only a demo writes one.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Who may ask for what, by kind of client.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    /// Guardians with a child each.
    pub parents: Vec<Parent>,
    /// Homeroom teachers with their class.
    pub homeroom: Vec<Homeroom>,
    /// Registrars with their school.
    pub registrars: Vec<Registrar>,
    /// Reporting tools.
    pub analysts: Vec<Analyst>,
}

/// A guardian and a child in their care.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parent {
    /// Bearer token of the guardian.
    pub token: String,
    /// Global id of the child.
    pub student_id: String,
    /// Key of the child.
    pub student_key: Uuid,
}

/// A homeroom teacher and the class.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Homeroom {
    /// Bearer token of the teacher.
    pub token: String,
    /// Global id of the class.
    pub class_group_id: String,
    /// Key of the class.
    pub class_group_key: Uuid,
    /// Global id of an examination of the class, if it had one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exam_id: Option<String>,
}

/// A registrar and the school.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registrar {
    /// Bearer token of the registrar.
    pub token: String,
    /// Global id of the school.
    pub school_id: String,
}

/// A reporting tool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Analyst {
    /// Bearer token of the tool's account.
    pub token: String,
    /// Global id of an examination within reach; without one the tool asks over all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exam_id: Option<String>,
    /// Global id of a school within reach; without one the tool asks over all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub school_id: Option<String>,
}

impl Sample {
    /// Reads a sample file.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read(path)
            .with_context(|| format!("The sample {} cannot be read.", path.display()))?;
        let sample: Self = serde_json::from_slice(&text).with_context(|| {
            format!("The sample {} is not what `xueji demo --load-sample` writes.", path.display())
        })?;
        ensure!(sample != Self::default(), "The sample {} names nobody.", path.display());
        Ok(sample)
    }

    /// Writes a sample file that only its owner can read.
    pub fn write(&self, path: &Path) -> Result<()> {
        use std::io::Write;
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options
            .open(path)
            .with_context(|| format!("The sample {} cannot be written.", path.display()))?;
        serde_json::to_writer(&mut file, self)?;
        file.write_all(b"\n")?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_read_as_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sample.json");
        let key = Uuid::from_u128(7);
        let sample = Sample {
            parents: vec![Parent {
                token: "t1".into(),
                student_id: "Student_a".into(),
                student_key: key,
            }],
            homeroom: vec![Homeroom {
                token: "t2".into(),
                class_group_id: "ClassGroup_b".into(),
                class_group_key: key,
                exam_id: None,
            }],
            registrars: vec![Registrar { token: "t3".into(), school_id: "Organisation_c".into() }],
            analysts: vec![Analyst {
                token: "t4".into(),
                exam_id: Some("Exam_d".into()),
                school_id: None,
            }],
        };
        sample.write(&path).unwrap();
        assert_eq!(Sample::read(&path).unwrap(), sample);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(r#""student_key":"00000000-0000-0000-0000-000000000007""#));
        assert!(!text.contains("null"));
    }

    #[test]
    fn an_empty_or_foreign_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sample.json");
        Sample::default().write(&path).unwrap();
        assert!(Sample::read(&path).is_err());
        std::fs::write(&path, "[]").unwrap();
        assert!(Sample::read(&path).is_err());
        assert!(Sample::read(&folder.path().join("nothing")).is_err());
    }
}
