//! Scenarios of membership in virtual time: the test is the coordinator and the application.
mod chaos;
mod faults;
mod group;
mod joining;
mod leaving;
mod polling;
mod subscribing;
