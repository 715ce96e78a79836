// The closing table, for people, spreadsheets and programs.
#pragma once

#include <string>
#include <vector>

#include "options.hpp"
#include "training.hpp"

namespace demo {

extern const char *const kAdviceFootnotes;

/// The table with its footnotes.
std::string table_text(const std::vector<Outcome> &outcomes);
std::string table_csv(const std::vector<Outcome> &outcomes);
/// The table, the settings it was made with and the library's version.
std::string table_json(const std::vector<Outcome> &outcomes, const Options &options);

/// Write `text` to a file; throws std::runtime_error when that fails.
void write_file(const std::string &file, const std::string &text);

} // namespace demo
