mod cvss;
mod fuzz;
mod lockfiles;
mod matching;
mod runs;
mod versions;
