#include "base/call_filter.h"

#include <linux/audit.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>

namespace coppice {
namespace {

#if defined(__x86_64__)
constexpr std::uint32_t kArchitecture = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr std::uint32_t kArchitecture = AUDIT_ARCH_AARCH64;
#else
constexpr std::uint32_t kArchitecture = 0;
#endif

// Newer than the headers of Debian 12; the same number on every architecture.
constexpr std::uint32_t kFchmodat2 = 452, kSetxattrat = 463, kRemovexattrat = 466,
                        kOpenTreeAttr = 467, kFileSetattr = 469;

constexpr std::uint32_t kRefused[] = {
    // Other processes, and files that they have open.
    __NR_ptrace,
    __NR_process_vm_readv,
    __NR_process_vm_writev,
    __NR_process_madvise,
    __NR_pidfd_getfd,
    __NR_kcmp,
    // Sockets and files by another door.
    __NR_io_uring_setup,
    __NR_io_uring_enter,
    __NR_io_uring_register,
    __NR_name_to_handle_at,
    __NR_open_by_handle_at,
    // Landlock lets these through, for any file of the account.
    __NR_fchmodat,
    kFchmodat2,
    __NR_fchownat,
    __NR_setxattr,
    __NR_lsetxattr,
    kSetxattrat,
    __NR_removexattr,
    __NR_lremovexattr,
    kRemovexattrat,
    kFileSetattr,
    __NR_truncate,
    __NR_inotify_add_watch,
    // The engine, which may be root, follows what lies in the media folder.
    __NR_symlinkat,
    __NR_mknodat,
    // Shared by number or name with everything of the account, the database server among it.
    __NR_shmget,
    __NR_shmat,
    __NR_shmctl,
    __NR_msgget,
    __NR_msgsnd,
    __NR_msgrcv,
    __NR_msgctl,
    __NR_semget,
    __NR_semop,
    __NR_semtimedop,
    __NR_semctl,
    __NR_mq_open,
    __NR_mq_unlink,
    __NR_keyctl,
    __NR_add_key,
    __NR_request_key,
    // Other namespaces and mounts.
    __NR_unshare,
    __NR_setns,
    __NR_mount,
    __NR_umount2,
    __NR_pivot_root,
    __NR_chroot,
    __NR_open_tree,
    kOpenTreeAttr,
    __NR_move_mount,
    __NR_fsopen,
    __NR_fsconfig,
    __NR_fsmount,
    __NR_fspick,
    __NR_mount_setattr,
    // Large, and of no use to a function.
    __NR_bpf,
    __NR_perf_event_open,
    __NR_userfaultfd,
#if defined(__x86_64__)
    __NR_chmod,
    __NR_chown,
    __NR_lchown,
    __NR_utime,
    __NR_utimes,
    __NR_futimesat,
    __NR_symlink,
    __NR_mknod,
#endif
};

constexpr std::uint32_t kRefuse = SECCOMP_RET_ERRNO | EPERM;
constexpr std::uint32_t kNamespaces = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC |
                                      CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;

// The low half of an argument lies first: both architectures are little-endian.
constexpr std::uint32_t argument_offset(int index, bool high_half = false) {
  return static_cast<std::uint32_t>(offsetof(seccomp_data, args) + index * 8u +
                                    (high_half ? 4u : 0u));
}

class FilterWriter {
 public:
  void load(std::uint32_t offset) { add(BPF_LD | BPF_W | BPF_ABS, offset); }
  void give(std::uint32_t action) { add(BPF_RET | BPF_K, action); }
  // Skips `count` instructions when the loaded value is `value`, or is not.
  void skip_if(std::uint32_t value, std::uint8_t count) {
    add(BPF_JMP | BPF_JEQ | BPF_K, value, count, 0);
  }
  void skip_unless(std::uint32_t value, std::uint8_t count) {
    add(BPF_JMP | BPF_JEQ | BPF_K, value, 0, count);
  }
  void skip_unless_any_bit(std::uint32_t bits, std::uint8_t count) {
    add(BPF_JMP | BPF_JSET | BPF_K, bits, 0, count);
  }
  void skip_if_below(std::uint32_t value, std::uint8_t count) {
    add(BPF_JMP | BPF_JGE | BPF_K, value, 0, count);
  }
  void refuse(std::uint32_t call, std::uint32_t action = kRefuse) {
    skip_unless(call, 1);
    give(action);
  }
  std::vector<sock_filter> take() { return std::move(filter_); }

 private:
  void add(std::uint16_t code, std::uint32_t k, std::uint8_t when_true = 0,
           std::uint8_t when_false = 0) {
    filter_.push_back({code, when_true, when_false, k});
  }
  std::vector<sock_filter> filter_;
};

// Calls of another architecture (and of x32) have other numbers, which this list does not know.
void refuse_other_architectures(FilterWriter& filter) {
  filter.load(offsetof(seccomp_data, arch));
  filter.skip_if(kArchitecture, 1);
  filter.give(kRefuse);
  filter.load(offsetof(seccomp_data, nr));
#if defined(__x86_64__)
  filter.skip_if_below(__X32_SYSCALL_BIT, 1);
  filter.give(kRefuse);
#endif
}

// Each of these leaves the number of the call loaded when the call is another one.
void refuse_sockets(FilterWriter& filter, bool network) {
  if (!network) return filter.refuse(__NR_socket);
  filter.skip_unless(__NR_socket, 6);
  filter.load(argument_offset(0));
  filter.skip_if(AF_INET, 3);
  filter.skip_if(AF_INET6, 2);
  filter.skip_if(AF_NETLINK, 1);  // getaddrinfo asks for the addresses of this machine
  filter.give(kRefuse);
  filter.give(SECCOMP_RET_ALLOW);
}

void refuse_new_namespaces(FilterWriter& filter) {
  // Its arguments lie in memory, where a filter cannot look; libc falls back to clone.
  filter.refuse(__NR_clone3, SECCOMP_RET_ERRNO | ENOSYS);
  filter.skip_unless(__NR_clone, 4);
  filter.load(argument_offset(0));
  filter.skip_unless_any_bit(kNamespaces, 1);
  filter.give(kRefuse);
  filter.give(SECCOMP_RET_ALLOW);
}

// Without a name it is futimens(), on a file that is open already.
void refuse_times_by_name(FilterWriter& filter) {
  filter.skip_unless(__NR_utimensat, 6);
  filter.load(argument_offset(1));
  filter.skip_unless(0, 3);
  filter.load(argument_offset(1, true));
  filter.skip_unless(0, 1);
  filter.give(SECCOMP_RET_ALLOW);
  filter.give(kRefuse);
}

}  // namespace

std::vector<sock_filter> make_call_filter(bool network) {
  if (kArchitecture == 0) return {};
  FilterWriter filter;
  refuse_other_architectures(filter);
  refuse_sockets(filter, network);
  refuse_new_namespaces(filter);
  refuse_times_by_name(filter);
  for (const std::uint32_t call : kRefused) filter.refuse(call);
  filter.give(SECCOMP_RET_ALLOW);
  return filter.take();
}

}  // namespace coppice
