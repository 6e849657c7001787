// ObjectStore: named objects that are written once: what a folder or a bucket has in common.
//
// Model    An object is written as a whole under a name that is free, is read whole or in parts,
//          listed and removed. A name is one or more parts of a-z, 0-9 and "-", joined by "/". What
//          put() has taken is durable and seen by every later call of every client.
// Units    Sizes are bytes; times are microseconds since 1970 by the store's own clock.
// Threads  Every method may be called from any thread and any process at any time.
// Errors   kNotFound with the name; kDiskFull, kIo, kUnavailable with name and place; kRefused when
//          the store keeps the object from being removed; kInvalidInput for a malformed name.
// Source   docs/formats/repository.md, "Objects"
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace coppice {

struct ObjectInfo {
  std::string name;
  std::uint64_t size_bytes = 0;
  std::int64_t modified_us = 0;
};

class ObjectStore {
 public:
  virtual ~ObjectStore() = default;

  // False, and nothing is changed, when there is an object of that name.
  virtual bool put(const std::string& name, std::string_view bytes) = 0;
  virtual std::string get(const std::string& name) = 0;
  // kIntegrity when the object ends before that.
  virtual std::string get_part(const std::string& name, std::uint64_t offset_bytes,
                               std::uint64_t size_bytes) = 0;
  virtual std::optional<ObjectInfo> stat(const std::string& name) = 0;
  // Every object whose name begins with `prefix`, which is empty or ends with "/". What is in the
  // folder a/ comes before what is in b/, and was there no later; within a folder in no order.
  virtual void list(const std::string& prefix,
                    const std::function<void(const ObjectInfo&)>& visit) = 0;
  // False when there is none of that name.
  virtual bool remove(const std::string& name) = 0;

  // For messages: "the folder /backup/films".
  virtual std::string place() const = 0;
};

// Throws kInvalidInput when `name` is no name of an object.
void check_object_name(std::string_view name);

}  // namespace coppice
