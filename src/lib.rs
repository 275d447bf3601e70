//! xueji (学籍): a registry of pupils over GraphQL in which every field knows who may see it.
//!
//! The modules in layer order; imports point to the left only. ARCHITECTURE.md has the map.

pub mod clock;
pub mod config;
pub mod error;
pub mod hangup;
pub mod leak;

pub mod access;
pub mod store;

pub mod auth;
pub mod domain;

pub mod graphql;

pub mod http;
pub mod load;

pub mod app;
pub mod cli;
pub mod demo;
pub mod doorway;
pub mod live;
pub mod upkeep;
