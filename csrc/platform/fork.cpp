// Threads do not survive a fork. A forked child that enters a parallel region would wait for its parent's
// OpenMP threads for ever (workers of multiprocessing, of torch's DataLoader, of joblib); so before a fork
// the forking thread's team is sent home. The next region of the parent, as of the child, gathers a new one.
// That is needed with GNU's OpenMP; LLVM's looks after itself.
#ifdef __linux__
#include <dlfcn.h>
#include <link.h>
#include <omp.h>
#include <pthread.h>

#include <cstring>
#include <string>
#include <vector>

namespace {

int list_gnu_openmp(dl_phdr_info* library, std::size_t, void* names) {
  if (std::strstr(library->dlpi_name, "libgomp") != nullptr) {
    static_cast<std::vector<std::string>*>(names)->push_back(library->dlpi_name);
  }
  return 0;
}

// Of each copy in this process: torch may have brought one of its own.
void send_threads_home() {
  std::vector<std::string> names;
  dl_iterate_phdr(list_gnu_openmp, &names);
  for (const std::string& name : names) {
    void* library = dlopen(name.c_str(), RTLD_NOLOAD | RTLD_LAZY);
    if (library == nullptr) continue;
    if (void* pause = dlsym(library, "omp_pause_resource_all")) {
      reinterpret_cast<int (*)(omp_pause_resource_t)>(pause)(omp_pause_soft);
    }
    dlclose(library);
  }
}

[[maybe_unused]] const int registered = pthread_atfork(send_threads_home, nullptr, nullptr);

}  // namespace
#endif
