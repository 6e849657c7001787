// CopyIn and CopyOut: rows as a stream of bytes, any number of them, in bounded memory.
//
// Model    The COPY statement decides the format (text, csv, binary); the bytes are not looked at.
//          Data given to CopyIn reaches the table when finish() returns, or not at all.
// Units    Bytes. At most 64 KiB are held here.
// Errors   What is wrong with the data comes from finish(): the server says it only at the end. A
//          lost connection comes from write() too. After an error the object is done with.
// Threads  As the Connection, which is taken until finish() or the destructor.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "pg/connection.h"

namespace coppice::pg {

class CopyIn {
 public:
  // `sql`: COPY … FROM STDIN.
  CopyIn(Connection& connection, const std::string& sql);
  // Without finish(): the COPY is undone (and an enclosing transaction spoiled).
  ~CopyIn();
  CopyIn(const CopyIn&) = delete;
  CopyIn& operator=(const CopyIn&) = delete;

  // Any piece of the stream; rows may lie across pieces.
  void write(std::string_view bytes);
  // Ends the stream and gives the number of rows stored.
  std::uint64_t finish();

 private:
  void send(std::string_view bytes);
  void leave();

  internal::ConnectionState& state_;
  std::string buffer_;
  bool open_ = true;
};

class CopyOut {
 public:
  // `sql`: COPY … TO STDOUT.
  CopyOut(Connection& connection, const std::string& sql);
  // Before the end: the statement is cancelled (and an enclosing transaction spoiled).
  ~CopyOut();
  CopyOut(const CopyOut&) = delete;
  CopyOut& operator=(const CopyOut&) = delete;

  // The next piece, valid until the next call; a row, in the text formats. nullopt at the end.
  std::optional<std::string_view> read();
  // At the end: how many rows there were, whatever the format.
  std::uint64_t row_count() const { return row_count_; }

 private:
  void release_chunk();

  internal::ConnectionState& state_;
  char* chunk_ = nullptr;
  std::uint64_t row_count_ = 0;
  bool open_ = true;
};

}  // namespace coppice::pg
