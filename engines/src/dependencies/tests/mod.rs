mod cvss;
mod lockfiles;
mod matching;
mod runs;
mod versions;
