#include "engine/engine.h"

int coppice_engine_placeholder;
