//! System tests live beside this file.
