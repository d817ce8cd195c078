-- People's keys lie in a database of their own, so that they are backed up apart from what they open.
CREATE DATABASE daybook_keys;
