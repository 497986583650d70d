//! Generated configs: a real run does what the plan says and what the pipeline test shows.
//!
//! | file | tests |
//! |---|---|
//! | `cases` | the generated configs |
//! | `compared` | the comparison |
//! | `ways` | the ways to execute a config: a run, a plan, a pipeline test |

mod cases;
mod compared;
mod ways;
